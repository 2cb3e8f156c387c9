// Standard output and standard error for a program that must never wait for their readers.
import { constants, fstatSync, openSync, type Stats, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";

/** Milliseconds until a full pipe is tried again: the first time, and at most. */
const RETRY = { first: 2, most: 50 };

const NEWLINE = 0x0a;

/** Called when a text was fully written, or with the reason why not. */
type Done = (error?: Error) => void;

interface Piece {
  readonly bytes: Buffer;
  readonly done: Done;
}

export class Output {
  readonly isTTY: boolean;
  /** Resolves once the reading end is found to be closed. */
  readonly closed: Promise<void>;
  readonly #close: () => void;
  readonly #fd: number;
  readonly #queue: Piece[] = [];
  /** Number of written bytes of the first piece. */
  #written = 0;
  #pending = 0;
  /** Bytes that the reader has read in total. */
  #taken = 0;
  #timer: NodeJS.Timeout | undefined;
  #working = false;
  #idle: (() => void)[] = [];

  /** Writes to a descriptor that stays open. */
  constructor(fd: number) {
    this.isTTY = isatty(fd);
    this.#fd = nonBlocking(fd);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  /** Bytes that are still to be written. The caller must limit them. */
  get pending(): number {
    return this.#pending;
  }

  /** Number of line ends in what is still to be written. */
  get pendingLines(): number {
    let count = 0;
    for (const [i, { bytes }] of this.#queue.entries()) {
      let at = bytes.indexOf(NEWLINE, i === 0 ? this.#written : 0);
      for (; at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
    }
    return count;
  }

  /** Never blocks: what the reader is not ready for is kept here. */
  write(text: string | Buffer, done: Done = () => {}): void {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    this.#queue.push({ bytes, done });
    this.#pending += bytes.length;
    if (this.#timer === undefined && !this.#working) this.#work(RETRY.first);
  }

  /** Resolves when nothing is left to write, or the reader has read nothing for `grace` milliseconds. */
  async drained(grace: number): Promise<void> {
    for (let before = -1; this.#queue.length > 0 && this.#taken > before; ) {
      before = this.#taken;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, grace);
        this.#idle.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #work(wait: number): void {
    this.#timer = undefined;
    this.#working = true;
    const next = this.#writeAll(wait);
    this.#working = false;
    if (next === undefined) for (const resolve of this.#idle.splice(0)) resolve();
    else this.#timer = setTimeout(() => this.#work(Math.min(next * 2, RETRY.most)), next);
  }

  /** Milliseconds until the next attempt; undefined: nothing is left to write. */
  #writeAll(wait: number): number | undefined {
    let next = wait;
    for (let piece = this.#queue[0]; piece !== undefined; piece = this.#queue[0]) {
      try {
        const count = writeSync(this.#fd, piece.bytes, this.#written);
        this.#written += count;
        this.#pending -= count;
        this.#taken += count;
        if (this.#written >= piece.bytes.length) this.#end(piece);
        next = RETRY.first;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EINTR") continue;
        if (code === "EAGAIN") return next;
        // EIO: a terminal that has hung up.
        if (code === "EPIPE" || code === "EIO") this.#close();
        this.#pending -= piece.bytes.length - this.#written;
        this.#end(piece, error as Error);
      }
    }
    return undefined;
  }

  #end(piece: Piece, error?: Error): void {
    this.#queue.shift();
    this.#written = 0;
    piece.done(error);
  }
}

/**
 * The same file as `fd`, opened so that the kernel answers EAGAIN instead of waiting. Pipes and terminals are opened
 * again, because the flag belongs to the open file, which other processes share.
 */
function nonBlocking(fd: number): number {
  let stat: Stats;
  try {
    stat = fstatSync(fd);
    if (stat.isFIFO() || isatty(fd)) {
      const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
      return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    }
  } catch {
    // Without /proc, or a pipe of another user.
    if (isatty(fd)) return fd;
  }
  try {
    // Sockets cannot be opened again. libuv sets the flag when it takes one over; Node's own stream clears it, once.
    void [process.stdout, process.stderr];
    if (!fstatSync(fd).isFile()) new Socket({ fd, readable: false, writable: true }).unref();
  } catch {
    // Neither a pipe nor a socket: /dev/null accepts everything.
  }
  return fd;
}

const outputs = new Map<number, Output>();

function output(fd: number): Output {
  let found = outputs.get(fd);
  if (found === undefined) {
    found = new Output(fd);
    outputs.set(fd, found);
  }
  return found;
}

/** Standard output; opened by the first call. */
export const standardOutput = (): Output => output(1);

/** Standard error; opened by the first call. */
export const standardError = (): Output => output(2);

/** Waits until both are fully written, or their reader has read nothing for `grace` milliseconds. */
export async function drainOutputs(grace: number): Promise<void> {
  await Promise.all([...outputs.values()].map((one) => one.drained(grace)));
}
