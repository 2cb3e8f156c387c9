// `wirespan status` and `wirespan reload`
import type { Command } from "commander";
import { type Answer, ask, defaultSocket } from "../control.ts";
import { type ErrorCode, WirespanError } from "../errors.ts";
import type { Status } from "../status.ts";

interface ControlFlags {
  readonly socket: string;
  readonly json?: boolean;
}

function withSocket(command: Command): Command {
  return command.option("--socket <path>", "the agent's control socket (control.socket)", defaultSocket());
}

function resultOf(answer: Answer): unknown {
  if (!answer.error) return answer.result;
  const { code, message, detail } = answer.error;
  throw new WirespanError(code as ErrorCode, message, detail === undefined ? {} : { detail });
}

function render(status: Status): string {
  const lines = [
    `wirespan ${status.version}, pid ${status.pid}, up ${status.uptimeSeconds} s`,
    "",
    "Plugins",
  ];
  for (const { name, state, error } of status.plugins)
    lines.push(`  ${name}: ${state}${error ? `: ${error}` : ""}`);
  lines.push("", "Exporters");
  for (const { name, type, queue, balance } of status.exporters) {
    lines.push(`  ${name} (${type}): ${queue.bytes} of ${queue.limit} bytes wait`);
    for (const [kind, b] of Object.entries(balance)) {
      const lost = Object.entries(b.lost).filter(([, count]) => count > 0);
      const losses = lost.map(([cause, count]) => `, lost ${count} (${cause})`).join("");
      lines.push(
        `    ${kind}s: ${b.given} given, ${b.acknowledged} acknowledged, ${b.queued} queued${losses}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

export function addControl(program: Command): void {
  withSocket(program.command("status"))
    .description("what the running agent sees, exports and loses")
    .option("--json", "print JSON")
    .action(async ({ socket, json }: ControlFlags) => {
      const status = resultOf(await ask(socket, "status")) as Status;
      process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : render(status));
    });
  withSocket(program.command("reload"))
    .description("let the running agent read its configuration again (as SIGHUP does)")
    .action(async ({ socket }: ControlFlags) => {
      const changes = resultOf(await ask(socket, "reload")) as readonly string[];
      process.stdout.write(changes.length ? `${changes.join("\n")}\n` : "Nothing changed.\n");
    });
}
