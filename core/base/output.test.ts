import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Output } from "./output.ts";

/** A named pipe that only the test reads, piece by piece. */
class Pipe implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "wirespan-output-"));
  readonly #reader: number;
  readonly writer: number;

  constructor() {
    const path = join(this.#folder, "pipe");
    execFileSync("mkfifo", [path]);
    this.#reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
  }

  /** At most `most` bytes of its content. */
  read(most: number): Buffer {
    const bytes = Buffer.alloc(most);
    return bytes.subarray(0, readSync(this.#reader, bytes));
  }

  [Symbol.dispose](): void {
    closeSync(this.#reader);
    closeSync(this.writer);
    rmSync(this.#folder, { recursive: true });
  }
}

const GRACE = 200;
const line = `${"x".repeat(99)}\n`;

describe("Output", () => {
  it("waits for a reader that needs longer than the grace period in total, as long as it makes progress", async () => {
    using pipe = new Pipe();
    const output = new Output(pipe.writer);
    let done: Error | null | undefined;
    output.write(line.repeat(5000), (error) => {
      done = error ?? null;
    });
    assert.ok(output.pending > 400_000, "more than a pipe holds");
    let taken = 0;
    const reader = setInterval(() => {
      taken += pipe.read(16_384).length;
    }, GRACE / 10);
    try {
      await output.drained(GRACE);
    } finally {
      clearInterval(reader);
    }
    assert.deepEqual([output.pending, output.pendingLines, done], [0, 0, null]);
    assert.ok(taken > 400_000, `${taken} bytes`);
  });

  it("waits no longer than the grace period for a reader that reads nothing, and knows what is missing", async () => {
    using pipe = new Pipe();
    const output = new Output(pipe.writer);
    output.write(line.repeat(5000));
    await output.drained(GRACE);
    const whole = Math.floor((5000 * line.length - output.pending) / line.length);
    assert.ok(whole > 0);
    assert.equal(output.pendingLines, 5000 - whole);
    pipe.read(1_000_000);
  });

  it("gives a late reader a chance even if the program itself was busy for the whole grace period", async () => {
    using pipe = new Pipe();
    const output = new Output(pipe.writer);
    output.write(line.repeat(1000));
    const drained = output.drained(GRACE);
    await sleep(1);
    const end = performance.now() + 2 * GRACE;
    while (performance.now() < end); // the event loop is blocked
    pipe.read(1_000_000);
    await drained;
    assert.equal(output.pending, 0);
  });
});
