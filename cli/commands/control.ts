// `wirespan status` and `wirespan reload`
import type { Command } from "commander";
import { ask, printable, resultOf } from "../../agent/control/client.ts";
import { isStatus, type Status } from "../../agent/status.ts";
import { defaultSocket } from "../../config/control-socket.ts";
import { fits } from "../../core/base/shape.ts";
import { type ConnectionBalance, describeUnseen } from "../../core/engine/balance.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { quantity } from "../../exporters/console/format.ts";

interface ControlFlags {
  readonly socket: string;
  readonly json?: boolean;
}

function withSocket(command: Command): Command {
  return command.option("--socket <path>", "the agent's control socket (control.socket)", defaultSocket());
}

/** The counters of losses in a program, such as `lost_spans`. */
function lossLines(accounts: Status["accounts"]): string[] {
  const lines = Object.entries(accounts).flatMap(([owner, counters]) =>
    Object.entries(counters)
      .filter(([name, count]) => name.startsWith("lost_") && count > 0)
      .map(([name, count]) => `  ${owner}: ${name}: ${count}`),
  );
  return lines.length ? ["", "Lost in the kernel", ...lines] : [];
}

function balanceLine({ opened, ended, living, lost }: ConnectionBalance): string {
  const losses = Object.entries(lost).filter(([, count]) => count > 0);
  const text = losses.map(([cause, count]) => `, lost ${count} (${cause.replaceAll("_", " ")})`);
  return `${opened} opened, ${ended} ended, ${living} open${text.join("")}`;
}

function render(status: Status): string {
  const lines = [
    `wirespan ${status.version}, pid ${status.pid}, up ${status.uptimeSeconds} s`,
    "",
    "Plugins",
  ];
  for (const { name, state, error } of status.plugins)
    lines.push(`  ${name}: ${state}${error ? `: ${error}` : ""}`);
  if (status.limits.length) lines.push("", "Limits", ...status.limits.map((limit) => `  ${limit}`));
  lines.push("", "Connection ends", `  ${balanceLine(status.connections)}`);
  if (status.unseen) lines.push(`  ${describeUnseen(status.unseen)}`);
  if (status.tlsLibraries)
    lines.push("", "OpenSSL's functions are traced in", ...status.tlsLibraries.map((path) => `  ${path}`));
  lines.push("", "Exporters");
  for (const { name, type, queue, balance } of status.exporters) {
    const room = `${quantity(queue.bytes, "By")} of ${quantity(queue.limit, "By")}`;
    lines.push(`  ${name} (${type}): queue ${room}`);
    for (const [kind, b] of Object.entries(balance)) {
      const lost = Object.entries(b.lost).filter(([, count]) => count > 0);
      const losses = lost.map(([cause, count]) => `, lost ${count} (${cause})`).join("");
      lines.push(
        `    ${kind}s: ${b.given} given, ${b.acknowledged} acknowledged, ${b.queued} queued${losses}`,
      );
    }
  }
  lines.push(...lossLines(status.accounts));
  return `${lines.map(printable).join("\n")}\n`;
}

/** Throws CONTROL for an invalid answer. */
function checked<T>(socket: string, value: unknown, is: (value: unknown) => value is T): T {
  if (is(value)) return value;
  throw new WirespanError(
    "CONTROL",
    `The program that listens on ${socket} does not answer like this version of wirespan; is the agent a different version?`,
  );
}

const isChanges = (value: unknown): value is readonly string[] => fits(value, ["string"]);

export function addControl(program: Command): void {
  withSocket(program.command("status"))
    .description("show what the running agent observes, exports and loses")
    .option("--json", "print JSON")
    .action(async ({ socket, json }: ControlFlags) => {
      const status = checked(socket, resultOf(await ask(socket, "status")), isStatus);
      process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : render(status));
    });
  withSocket(program.command("reload"))
    .description("reload the running agent's configuration (as SIGHUP does)")
    .action(async ({ socket }: ControlFlags) => {
      const changes = checked(socket, resultOf(await ask(socket, "reload")), isChanges);
      process.stdout.write(changes.length ? `${changes.map(printable).join("\n")}\n` : "Nothing changed.\n");
    });
}
