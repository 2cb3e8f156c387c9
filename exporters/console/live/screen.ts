// A terminal that shows one page at a time. Only lines that have changed are written.
import type { ReadStream, WriteStream } from "node:tty";
import type { Output } from "../../../core/base/output.ts";

/** The alternate screen without a cursor; and back. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** Synchronized output: everything in between appears at once, on terminals that support it. */
const BEGIN = "\x1b[?2026h";
const END = "\x1b[?2026l";

export interface Keys {
  readonly stdin: ReadStream & { readonly fd: 0 };
  /** Gets each key as the terminal sends it. */
  readonly pressed: (key: string) => void;
}

export class Screen implements Disposable {
  readonly #out: WriteStream;
  readonly #output: Output;
  readonly #keys: Keys | undefined;
  readonly #resized: () => void;
  #shown: readonly string[] = [];
  #entered = false;

  /** `out` knows the terminal's size, `output` writes to it. */
  constructor(
    out: WriteStream,
    output: Output,
    { keys, resized }: { readonly keys: Keys | undefined; readonly resized: () => void },
  ) {
    this.#out = out;
    this.#output = output;
    this.#keys = keys;
    this.#resized = () => {
      this.#shown = [];
      resized();
    };
  }

  get width(): number {
    return Math.max(20, this.#out.columns || 80);
  }

  get height(): number {
    return Math.max(6, this.#out.rows || 24);
  }

  enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    this.#shown = [];
    this.#output.write(ENTER);
    this.#out.on("resize", this.#resized);
    if (!this.#keys) return;
    const { stdin } = this.#keys;
    stdin.setRawMode(true);
    stdin.setEncoding("utf8");
    stdin.on("data", this.#pressed);
    // A terminal that hangs up: the next write ends the agent.
    stdin.on("error", () => {});
    stdin.resume();
  }

  /** Gives the terminal back as it was. */
  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.#out.off("resize", this.#resized);
    if (this.#keys) {
      const { stdin } = this.#keys;
      stdin.off("data", this.#pressed);
      stdin.setRawMode(false);
      stdin.pause();
    }
    this.#output.write(LEAVE);
  }

  draw(lines: readonly string[]): void {
    // A stopped terminal (Ctrl-S) misses frames.
    if (!this.#entered || this.#output.pending > 0) return;
    const changed = lines
      .map((line, i) => (line === this.#shown[i] ? "" : `\x1b[${i + 1};1H${line}\x1b[K`))
      .join("");
    const below =
      lines.length < this.#shown.length || this.#shown.length === 0
        ? `\x1b[${lines.length + 1};1H\x1b[J`
        : "";
    if (changed === "" && below === "") return;
    this.#output.write(`${BEGIN}${changed}${lines.length < this.height ? below : ""}${END}`);
    this.#shown = [...lines];
  }

  [Symbol.dispose](): void {
    this.leave();
  }

  readonly #pressed = (text: string): void => {
    for (const key of keysIn(text)) this.#keys?.pressed(key);
  };
}

/** Keys of one read: escape sequences stay whole. */
function keysIn(text: string): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send them
  return text.match(/\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[\s\S]/gu) ?? [];
}
