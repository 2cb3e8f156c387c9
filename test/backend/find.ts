// The real backends that the tests use, and where to find their programs on this machine.
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { skip } from "../support/skip.ts";

/** The pinned version of each backend's Go module, without its `v`, or Python package; part of the program's file name. */
export const versions = {
  collector: "0.155.0",
  /** With the exporter that sends all spans of a trace to the same Collector. */
  "collector-balancing": "0.155.0",
  /** With the exporter for Datadog. */
  "collector-datadog": "0.155.0",
  /** With tail sampling, and exporters for Prometheus and other Collectors. */
  "collector-gateway": "0.155.0",
  /** With the processor that adds names of pods. */
  "collector-k8s": "0.155.0",
  jaeger: "1.76.0",
  prometheus: "0.316.0",
  promtool: "0.316.0",
  rotel: "0.0.1a15",
  victoria: "9d9bea03485e",
} as const;

export type BackendName = keyof typeof versions;

/** Names that a distribution or a user may have given to the same program on PATH. */
const onPath: Readonly<Record<BackendName, readonly string[]>> = {
  collector: ["otelcol-contrib"],
  "collector-balancing": ["otelcol-contrib"],
  "collector-datadog": ["otelcol-contrib"],
  "collector-gateway": ["otelcol-contrib"],
  "collector-k8s": ["otelcol-contrib", "otelcol-k8s"],
  jaeger: ["jaeger"],
  prometheus: ["prometheus"],
  promtool: ["promtool"],
  rotel: ["rotel"],
  victoria: ["victoria-metrics"],
};

/**
 * The `--version` that a program on PATH must have; older ones have no OTLP, or no native histograms in tests of
 * rules.
 */
const newEnough: Partial<Record<BackendName, RegExp>> = {
  prometheus: /version 3\./,
  promtool: /version 3\./,
};

/** The folder into which `npm run backends` installs. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wirespan", "backends");

/** The path of a backend's program, from $WIRESPAN_BACKENDS_DIR, the cache or PATH; undefined if absent. */
export function findBackend(name: BackendName): string | undefined {
  const folders = [process.env.WIRESPAN_BACKENDS_DIR, cache].filter((folder) => folder !== undefined);
  const installed = folders.map((folder) => join(folder, `${name}-${versions[name]}`)).find(isProgram);
  if (installed) return installed;
  return (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => onPath[name].map((file) => join(folder, file)))
    .find((file) => isProgram(file) && saysEnough(name, file));
}

/** Skips the suite of this `before` hook if one of the backends is absent. */
export function needBackends(context: Mocha.Context, ...names: readonly BackendName[]): void {
  const absent = names.filter((name) => !findBackend(name));
  if (absent.length > 0) skip(context, `no ${absent.join(", ")} here: npm run backends ${absent.join(" ")}`);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function saysEnough(name: BackendName, file: string): boolean {
  const wanted = newEnough[name];
  return !wanted || wanted.test(execFileSync(file, ["--version"], { encoding: "utf8" }));
}
