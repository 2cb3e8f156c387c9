// Finds where programs keep the contexts of their threads (bpf/context/thread.h), in a process's memory, when a program in
// the kernel asks; and repeats the lookup, because a library may be loaded, or a context published, at any time. Tests:
// core/engine/threads.kernel.test.ts.

import { readFileSync } from "node:fs";
import { type Question, skeleton } from "../../bpf/context/context.skel.ts";
import type { BpfMap } from "../../native/index.ts";
import { packConstant } from "../bridge/pack.ts";
import { AddressSpace } from "../identity/address-space.ts";
import { programHeadersOf } from "../identity/elf.ts";
import { startTicksOf } from "../identity/proc.ts";
import { type ProcessContext, readProcessContext } from "../identity/process-context.ts";
import { MalformedMessage } from "../identity/protobuf.ts";
import { findThreadVariable, type ThreadVariable, UnreadableVariable } from "../identity/thread-variable.ts";
import type { Log } from "../plugin/log.ts";

/** `threadlocal.schema_version`s that have OTEP 4947's thread variable. */
const SCHEMAS: readonly (string | undefined)[] = ["tls_v1", "tlsdesc_v1_dev"];

/** Maximum number of images; for one more the oldest is forgotten. The size of the kernel's table. */
const mostImages = 4096;
/** Maximum lookups per second, so that a host that constantly starts programs does not keep the agent busy. */
const mostLooks = 50;
/** Seconds after the first lookup at which the next one follows; then each delay doubles, up to the longest. */
const [firstPause, longestPause] = [1, 256];

const PLACES = { static: 1, dynamic: 2 } as const;

interface Image {
  readonly number: number;
  readonly pid: number;
  readonly startedAt: number;
  /** In the kernel's table. */
  row?: string;
  /** Its error has been counted. */
  isCounted?: true;
  /** Seconds. */
  pause: number;
  /** Ticks until the next lookup. */
  due: number;
}

export interface ThreadCounts {
  /** Images whose threads' contexts are or were read. */
  readonly found: number;
  /** Images whose contexts cannot be read: this agent may not read their memory, or its content is invalid. */
  readonly unreadable: number;
}

export interface ThreadsOptions {
  /** `thread_variables`. */
  readonly variables: BpfMap;
  /** Makes the kernel check sockets again that had no contexts. */
  readonly announce: () => void;
  /** Only of processes that publish where their threads have contexts. */
  readonly published: boolean;
  /** The process's number in /proc. */
  readonly numberOf: (pid: number) => number | undefined;
  /** How far the agent's boot clock is ahead of the kernel's, nanoseconds. */
  readonly shiftNs: number;
  readonly log: Log;
}

export class Threads {
  #options: ThreadsOptions;
  /** By pid; of one that calls exec() only the newest image is kept. */
  readonly #images = new Map<number, Image>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #found = 0;
  #unreadable = 0;

  constructor(options: ThreadsOptions) {
    this.#options = options;
  }

  get counts(): ThreadCounts {
    return { found: this.#found, unreadable: this.#unreadable };
  }

  /** From now on other programs ask; `keeps`: they know what was found, and images are looked up again immediately. */
  configure(options: ThreadsOptions, keeps: boolean): void {
    this.#options = options;
    if (!keeps) this.#images.clear();
    for (const image of this.#images.values()) Object.assign(image, { pause: firstPause, due: 0 });
  }

  /** A program in the kernel asks. Never throws. */
  asked({ number, pid, startedAt }: Question): void {
    this.#forget(this.#images.get(pid));
    if (this.#images.size >= mostImages) this.#forget(this.#images.values().next().value);
    const image: Image = { number, pid, startedAt, pause: firstPause, due: 0 };
    this.#images.set(pid, image);
    this.#timer ??= setInterval(() => this.#tick(), 1000).unref();
    if (this.#looks < mostLooks) this.#look(image);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#looks = 0;
    for (const image of this.#images.values()) {
      if (--image.due <= 0 && this.#looks < mostLooks) this.#look(image);
    }
    if (this.#images.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(image: Image): void {
    this.#looks++;
    image.due = image.pause;
    image.pause = Math.min(image.pause * 2, longestPause);
    try {
      const variable = this.#find(image);
      if (variable === "gone") this.#forget(image);
      else this.#publish(image, variable);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ESRCH") {
        this.#forget(image);
        return;
      }
      this.#publish(image, undefined);
      this.#count(image, message);
      // It belongs to another user, permanently.
      if (code === "EACCES" || code === "EPERM") image.due = image.pause = longestPause;
      else if (!(error instanceof UnreadableVariable || error instanceof MalformedMessage))
        this.#options.log.debug({ error }, "looking for threads' contexts failed");
    }
  }

  #count(image: Image, why: string): void {
    if (image.isCounted) return;
    image.isCounted = true;
    this.#unreadable++;
    this.#options.log.debug({ pid: image.pid }, `contexts of its threads are not read: ${why}`);
  }

  #find({ pid, startedAt }: Image): ThreadVariable | "gone" | undefined {
    const { numberOf, published, shiftNs } = this.#options;
    const number = numberOf(pid);
    if (number === undefined) return "gone";
    const folder = `/proc/${number}`;
    // From here on another image with that pid can no longer be confused with this one.
    using space = new AddressSpace(folder);
    const ticks = startTicksOf(folder);
    if (ticks === undefined || Math.abs(ticks * 1e7 - shiftNs - startedAt) > 2e7) return "gone";
    const mappings = space.mappings();
    if (mappings.length === 0) return "gone";
    let context: ProcessContext | undefined;
    try {
      context = readProcessContext(space, mappings);
    } catch (error) {
      // A process that publishes nothing readable may still have the variable.
      if (published || !(error instanceof MalformedMessage)) throw error;
    }
    if (published && !SCHEMAS.includes(context?.threads)) return undefined;
    return findThreadVariable(space, mappings, programHeadersOf(readFileSync(`${folder}/auxv`)));
  }

  #publish(image: Image, variable: ThreadVariable | undefined): void {
    const row = variable && JSON.stringify(variable);
    if (row === image.row) return;
    const { variables, announce } = this.#options;
    const key = new Uint8Array(Uint32Array.of(image.number).buffer);
    if (!variable) variables.delete(key);
    else {
      const { place, ...rest } = variable;
      const layout = skeleton.inputs.thread_variables.value;
      variables.update(key, packConstant("thread_variables", layout, { ...rest, place: PLACES[place] }));
      announce();
      if (image.row === undefined) this.#found++;
      this.#options.log.debug({ pid: image.pid, ...variable }, "contexts of its threads are read");
    }
    if (row === undefined) delete image.row;
    else image.row = row;
  }

  #forget(image: Image | undefined): void {
    if (!image) return;
    this.#publish(image, undefined);
    this.#images.delete(image.pid);
  }
}
