// Files whose contents are renewed while the agent runs: certificates, keys, tokens.
import { stat } from "node:fs/promises";

/** Milliseconds between two looks at the files of one exporter. */
const LOOK_MS = 1000;

/** What tells whether a path leads to other contents than before; the target's, if it is a symbolic link. */
async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

export class WatchedFiles {
  readonly #paths: readonly string[];
  /** As they were when their contents were taken over, and when they were looked at last. */
  #taken = "";
  #seen = "";
  #looked = Number.NEGATIVE_INFINITY;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Whether a file is another since the last `take`; looks once a second at most unless `atOnce`. */
  async changed(atOnce = false): Promise<boolean> {
    if (this.#paths.length === 0) return false;
    if (!atOnce && performance.now() - this.#looked < LOOK_MS) return false;
    this.#looked = performance.now();
    this.#seen = (await Promise.all(this.#paths.map(stateOf))).join("\n");
    return this.#seen !== this.#taken;
  }

  /** The files as `changed` saw them are read. */
  take(): void {
    this.#taken = this.#seen;
  }
}
