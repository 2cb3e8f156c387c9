// `wirespan view`, `wirespan record` and `wirespan findings`: the page, a copy of what it shows, and its rules.
import { existsSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { ask, printable, resultOf } from "../../agent/control/client.ts";
import { databaseOf } from "../../agent/viewer.ts";
import { defaultSocket } from "../../config/control-socket.ts";
import { duration, size } from "../../config/formats.ts";
import { fits } from "../../core/base/shape.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { type ConfigFlags, setUp, withConfig } from "../setup.ts";

interface ViewFlags {
  readonly socket: string;
  readonly address: string;
  readonly send?: string;
}

interface RecordFlags extends ConfigFlags {
  readonly last: string;
  readonly bytes?: string;
  readonly for?: string;
  readonly anonymise?: true;
}

interface FindingsFlags {
  readonly socket: string;
  readonly json?: boolean;
}

/** Milliseconds of a flag's text. Throws USAGE if it is not a duration. */
function milliseconds(flag: string, text: string): number {
  try {
    return duration(1000).read(text) as number;
  } catch {
    throw new WirespanError(
      "USAGE",
      `${flag} requires a duration of at least 1s, such as 30m, not "${text}".`,
    );
  }
}

/** Bytes of a flag's text. Throws USAGE if it is not a size. */
function bytesOf(flag: string, text: string): number {
  try {
    return size("a size", (n) => n >= 1024 ** 2).read(text) as number;
  } catch {
    throw new WirespanError(
      "USAGE",
      `${flag} requires a size of at least 1MiB, such as 64MiB, not "${text}".`,
    );
  }
}

/** The address of the running agent's page, with a single-use token. Throws CONTROL. */
async function invitation(socket: string): Promise<URL> {
  const address = resultOf(await ask(socket, "view"));
  if (typeof address !== "string" || !URL.canParse(address)) {
    throw new WirespanError(
      "CONTROL",
      `The program that listens on ${socket} does not answer like this version of wirespan.`,
    );
  }
  return new URL(address);
}

/** Sends requests to the page like a browser with a single-use token. */
async function askPage(socket: string, path: string): Promise<unknown> {
  const address = await invitation(socket);
  const token = address.hash.replace("#token=", "");
  const session = await fetch(new URL("/api/v1/session", address), {
    headers: { authorization: `Bearer ${token}` },
  });
  const [cookie = ""] = (session.headers.get("set-cookie") ?? "").split(";");
  const response = await fetch(new URL(`/api/v1/${path}`, address), { headers: { cookie } });
  if (!response.ok) throw new WirespanError("CONTROL", `${address.origin} answers ${response.status}.`);
  return await response.json();
}

interface Findings {
  readonly findings: readonly {
    readonly severity: string;
    readonly text: string;
    readonly next: string;
    readonly since: number;
  }[];
}

const isFindings = (value: unknown): value is Findings =>
  fits(value, { findings: [{ severity: "string", text: "string", next: "string", since: "number" }] });

export function addView(program: Command): void {
  program
    .command("view")
    .argument("[recording]", "a file that `wirespan record` wrote; without it: the running agent")
    .description("print the address of the running agent's page, or show a recording")
    .option("--socket <path>", "the agent's control socket (control.socket)", defaultSocket())
    .option(
      "--url",
      "print an address that works once: for a user who may not see the page, or through a forwarded port",
    )
    .option("--address <host:port>", "serve the recording's page at this address", "127.0.0.1:4381")
    .option(
      "--send <url>",
      "send the recording's spans and events to this OTLP/HTTP endpoint instead of showing them",
    )
    .action(
      async (
        recording: string | undefined,
        { socket, address, send, url }: ViewFlags & { readonly url?: boolean },
      ) => {
        if (recording === undefined) {
          const invited = await invitation(socket);
          if (!url) invited.hash = "";
          process.stdout.write(`${invited}\n`);
          return;
        }
        const { showRecording, sendRecording } = await import("../recording.ts");
        if (send === undefined) await showRecording(recording, address);
        else await sendRecording(recording, send);
      },
    );

  withConfig(program.command("record"))
    .argument("<file>", "the file to write; it must not exist")
    .description("copy the data that the running agent has stored for its page, up to 10 s ago")
    .option("--last <duration>", "how far back", "30m")
    .option("--bytes <size>", "maximum size, such as 64MiB; the oldest connections are left out")
    .option("--for <duration>", "wait this long, then record only that period")
    .option("--anonymise", "replace addresses and names by hashes with a key that is discarded")
    .action(async (file: string, flags: RecordFlags) => {
      const last = milliseconds("--last", flags.last);
      const wait = flags.for === undefined ? undefined : milliseconds("--for", flags.for);
      const bytes = flags.bytes === undefined ? undefined : bytesOf("--bytes", flags.bytes);
      if (existsSync(file)) throw new WirespanError("USAGE", `${file} already exists; name another file.`);
      const { config } = await setUp(flags);
      const database = databaseOf(config);
      if (!existsSync(database)) {
        throw new WirespanError(
          "USAGE",
          `No agent has stored any data here: ${database} does not exist (viewer.file).`,
        );
      }
      if (wait !== undefined) await sleep(wait);
      const { record } = await import("../../store/recording.ts");
      try {
        await record(database, file, (wait ?? last) / 1000, { most: bytes, anonymise: flags.anonymise });
      } catch (cause) {
        rmSync(file, { force: true });
        throw new WirespanError(
          "USAGE",
          `${database} cannot be copied to ${file}: ${(cause as Error).message}`,
          { cause },
        );
      }
      process.stdout.write(`${file} is written; wirespan view ${file} shows it.\n`);
    });

  program
    .command("findings")
    .description("print what the rules of the running agent's page find, the most urgent first")
    .option("--socket <path>", "the agent's control socket (control.socket)", defaultSocket())
    .option("--json", "print JSON")
    .action(async ({ socket, json }: FindingsFlags) => {
      const answer = await askPage(socket, "findings");
      if (!isFindings(answer))
        throw new WirespanError("CONTROL", "The page does not answer like this version of wirespan.");
      if (json) {
        process.stdout.write(`${JSON.stringify(answer.findings, null, 2)}\n`);
        return;
      }
      if (answer.findings.length === 0) process.stdout.write("Nothing is unusual.\n");
      for (const { severity, text, next, since } of answer.findings) {
        const when = new Date(since * 1000).toTimeString().slice(0, 8);
        process.stdout.write(`${severity}, since ${when}: ${printable(text)}\n    ${printable(next)}\n`);
      }
    });
}
