// `wirespan exporters test`
import type { Command } from "commander";
import type { Config } from "../../config/config.ts";
import { suggestion } from "../../core/base/suggest.ts";
import { EXIT_LOST, WirespanError } from "../../core/plugin/errors.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig } from "../../exporters/config.ts";
import type { Outcome } from "../../exporters/otlp/deliver/transport.ts";
import type { Probe, Prober } from "../../exporters/probe.ts";
import { type ConfigFlags, load, overridesOf, selection, withConfig } from "../setup.ts";

interface Tested extends Probe {
  readonly name: string;
}

export function addExporters(program: Command): void {
  const exporters = program
    .command("exporters")
    .helpCommand(false)
    .description("test the configured backends");

  withConfig(exporters.command("test [name...]"))
    .description("send one span, one metric point and one event to each backend, and print the responses")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Exits with 7 if a backend did not accept everything. No privileges are needed.

Examples:
  wirespan exporters test --config wirespan.yaml
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 wirespan exporters test`,
    )
    .action(async (names: readonly string[], flags: ConfigFlags & { json?: boolean }) => {
      // No plugin runs, but the plugins that the file configures are still checked.
      const off = selection([], "exporters test");
      const { config } = await load(flags.config, [...overridesOf(flags.set), ...off]);
      const tested = await testAll(config, names);
      process.stdout.write(flags.json ? `${JSON.stringify(tested, null, 2)}\n` : tested.map(render).join(""));
      const taken = tested.every(({ answers }) => answers.every(({ outcome }) => isTaken(outcome)));
      process.exitCode = taken ? 0 : EXIT_LOST;
    });
}

async function testAll(config: Config, names: readonly string[]): Promise<readonly Tested[]> {
  const backends = Object.entries(config.exporters).filter(
    (entry): entry is [string, OtlpGrpcConfig | OtlpHttpConfig] => entry[1].type !== "console",
  );
  if (backends.length === 0) {
    throw new WirespanError(
      "CONFIG_INVALID",
      "No backend is configured: add one under exporters: in the file given with --config, or set OTEL_EXPORTER_OTLP_ENDPOINT.",
    );
  }
  const known = backends.map(([name]) => name);
  const [unknown] = names.filter((name) => !known.includes(name));
  if (unknown !== undefined) {
    const others = `the configuration has ${known.join(", ")}.`;
    throw new WirespanError("USAGE", `No backend named ${unknown}${suggestion(unknown, known, others)}`);
  }
  const { probe } = await import("../../exporters/probe.ts");
  const { createLog } = await import("../../core/plugin/log.ts");
  const prober = await whoAsks(config);
  return Promise.all(
    backends
      .filter(([name]) => names.length === 0 || names.includes(name))
      .map(async ([name, backend]) => {
        return { name, ...(await probe(name, backend, prober, createLog(config.log))) };
      }),
  );
}

async function whoAsks(config: Config): Promise<Prober> {
  const { agentResource, hostAttributes } = await import("../../core/identity/host.ts");
  const { VERSION: version } = await import("../../core/base/version.ts");
  const resource = agentResource(hostAttributes(), {
    version,
    name: config.service.name,
    attributes: config.resource.attributes,
  });
  const now = Date.now();
  const instant = { sec: Math.floor(now / 1000), nsec: (now % 1000) * 1e6, bootNs: 0 };
  return { resource, scope: { name: "wirespan.agent", version }, now: instant };
}

function isTaken(outcome: Outcome): boolean {
  return outcome.status === "ok" && outcome.rejected === 0;
}

function render({ name, type, answers }: Tested): string {
  const lines = answers.map(
    ({ signal, endpoint, outcome }) => `  ${signal} to ${endpoint}: ${words(outcome)}\n`,
  );
  return `${name} (${type})\n${lines.join("")}`;
}

function words(outcome: Outcome): string {
  const { message } = outcome;
  const why = message === "" ? "" : `: ${message}`;
  switch (outcome.status) {
    case "ok":
      return outcome.rejected === 0 ? `accepted${why}` : `rejected${why}`;
    case "unconfirmed":
      return `not confirmed${why}`;
    case "retry":
      return `not accepted${why}`;
    case "too_large":
    case "rejected":
      return `rejected${why}`;
  }
}
