// A real terminal emulator without a screen: tmux, with its own server.
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { DEADLINE } from "./deadline.ts";
import { skip } from "./skip.ts";
import { countUnseen } from "./unseen.ts";

const execute = promisify(execFile);
let made = 0;

/** Skips the test if there is no tmux. */
export async function needsTmux(context: Mocha.Context): Promise<void> {
  try {
    await execute("tmux", ["-V"]);
  } catch {
    skip(context, "needs tmux");
  }
}

/** A program on a terminal of a fixed size; disposal ends both. */
export class Terminal implements AsyncDisposable {
  readonly #server = `wirespan-${process.pid}-${++made}`;

  /** Events that the kernel showed to no program, according to the live view. */
  #unseen = 0;
  readonly #counted = countUnseen(() => this.#unseen);

  private constructor() {}

  /** Starts the shell command `command` with `columns` × `rows`. */
  static async open(command: string, columns: number, rows: number): Promise<Terminal> {
    const terminal = new Terminal();
    // The terminal remains when the program has ended.
    const stays = `${command}; exec sleep 600`;
    await terminal.#tmux("new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, stays);
    return terminal;
  }

  /** What is on the screen, line by line. */
  async screen(): Promise<readonly string[]> {
    const text = await this.#tmux("capture-pane", "-p");
    const [, unseen = "0"] = /([\d,]+) unseen events/.exec(text) ?? [];
    this.#unseen = Math.max(this.#unseen, Number(unseen.replaceAll(",", "")));
    return text.replace(/\n$/, "").split("\n");
  }

  /** Waits until the screen contains `what`; throws with the screen's content after `limit` milliseconds. */
  async until(what: RegExp, limit = DEADLINE): Promise<readonly string[]> {
    const end = performance.now() + limit;
    for (;;) {
      const lines = await this.screen();
      if (what.test(lines.join("\n"))) return lines;
      if (performance.now() > end) throw new Error(`the screen does not show ${what}:\n${lines.join("\n")}`);
      await sleep(200);
    }
  }

  /** Presses keys, by tmux's names: `q`, `Enter`, `Escape`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", `${columns}`, "-y", `${rows}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#counted();
    await this.#tmux("kill-server").catch(() => {});
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    const { stdout } = await execute("tmux", ["-L", this.#server, "-f", "/dev/null", "-u", ...args]);
    return stdout;
  }
}
