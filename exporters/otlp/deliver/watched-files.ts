// Files that may change while the agent runs: certificates, keys, tokens.
import { stat } from "node:fs/promises";

/** Milliseconds between two checks of an exporter's files. */
const LOOK_MS = 1000;

/** Changes if the contents at a path may have changed; of the target, if it is a symbolic link. */
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
  /** The states at the last `take` and at the last check. */
  #taken = "";
  #seen = "";
  #looked = Number.NEGATIVE_INFINITY;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Whether a file has changed since the last `take`; checks at most once a second unless `atOnce`. */
  async changed(atOnce = false): Promise<boolean> {
    if (this.#paths.length === 0) return false;
    if (!atOnce && performance.now() - this.#looked < LOOK_MS) return false;
    this.#looked = performance.now();
    this.#seen = (await Promise.all(this.#paths.map(stateOf))).join("\n");
    return this.#seen !== this.#taken;
  }

  /** The files have been read as `changed` saw them. */
  take(): void {
    this.#taken = this.#seen;
  }
}
