// Plugins that sum traffic: each has a mark in every connection (bpf/include/wirespan/io_delta.h).
import { WirespanError } from "../plugin/errors.ts";

/** IO_MARKS in bpf/include/wirespan/conn.h. */
const MOST = 3;
/** Number of runs that a mark can distinguish. */
const RUNS = 0xffff;

/** A plugin's index among the marks, and its run: constants of its programs. */
export type IoMark = Readonly<Record<"io_slot" | "io_run", number>>;

export class IoMarks {
  readonly #marks = new Map<string, IoMark>();
  #runs = 0;

  /**
   * The mark of a plugin, which keeps its index when it ends. `goesOn`: it restarts while its predecessor runs, so that
   * what the predecessor has added is not added again. Throws LIMIT if no index is free.
   */
  of(plugin: string, goesOn: boolean): IoMark {
    const before = this.#marks.get(plugin);
    if (before && goesOn) return before;
    const slot = before?.io_slot ?? this.#marks.size;
    if (slot === MOST)
      throw new WirespanError("LIMIT", `${plugin}: ${MOST} plugins sum traffic already, and no more can`);
    const mark = { io_slot: slot, io_run: (this.#runs++ % RUNS) + 1 };
    this.#marks.set(plugin, mark);
    return mark;
  }
}
