// Keeps records of processes whose workload is not decided yet. Tests: core/bridge/held-records.test.ts.
import { type Task, TaskCursor } from "../plugin/connection.ts";
import type { Fields, RingRecords } from "../plugin/skeleton.ts";

/** Decides to which workloads processes belong. */
export interface Waiting {
  /** Whether records of this process have to wait. */
  waits(task: Task): boolean;
  /** Decides for all waiting processes from what is known now. */
  stopWaiting(): void;
}

/** Maximum bytes that are held for one ring. */
const MOST = 4 * 1024 * 1024;

/** Offsets of every `struct task` in a record, bytes. */
function tasksIn(fields: Fields, at = 0): number[] {
  return Object.values(fields).flatMap((place) => {
    if (!("fields" in place)) return [];
    const inside = at + place.at;
    return place.fields === TaskCursor.fields ? [inside] : tasksIn(place.fields, inside);
  });
}

export class HeldRecords {
  readonly #tasks: readonly number[];
  readonly #waiting: Waiting;
  readonly #task = new TaskCursor();
  #held: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;

  private constructor(tasks: readonly number[], waiting: Waiting) {
    this.#tasks = tasks;
    this.#waiting = waiting;
  }

  /** Undefined for records without a process. */
  static of({ record }: RingRecords<unknown>, waiting: Waiting): HeldRecords | undefined {
    const tasks = tasksIn((record as unknown as { readonly fields: Fields }).fields);
    return tasks.length > 0 ? new HeldRecords(tasks, waiting) : undefined;
  }

  /** Keeps a copy of the record in these bytes and returns true if it has to wait. */
  hold(words: Uint32Array, bytes: Uint8Array, at: number, end: number): boolean {
    if (!this.#waits(words, bytes, at)) return false;
    if (this.#bytes + end - at > MOST) {
      this.#waiting.stopWaiting();
      return false;
    }
    this.#held.push(bytes.slice(at, end));
    this.#bytes += end - at;
    return true;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** Removes and returns the records that no longer have to wait, in order of arrival. */
  takeDue(): readonly Uint8Array<ArrayBuffer>[] {
    const due: Uint8Array<ArrayBuffer>[] = [];
    const kept: Uint8Array<ArrayBuffer>[] = [];
    for (const record of this.#held) {
      const waits = this.#waits(new Uint32Array(record.buffer), record, 0);
      (waits ? kept : due).push(record);
    }
    this.#held = kept;
    this.#bytes = kept.reduce((sum, { length }) => sum + length, 0);
    return due;
  }

  #waits(words: Uint32Array, bytes: Uint8Array, at: number): boolean {
    return this.#tasks.some((offset) => {
      this.#task.at(words, bytes, at + offset);
      return this.#waiting.waits(this.#task);
    });
  }
}
