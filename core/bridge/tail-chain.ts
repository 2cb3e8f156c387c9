// Programs on one hook, each of which calls the next: bpf/include/wirespan/chain.h and bpf/include/wirespan/hooks/accept_chain.h say why.
import type { BpfObject } from "../../native/index.ts";

interface Link {
  readonly object: BpfObject;
  readonly program: string;
}

export class Chain {
  /** Programs on it join the chain instead of being attached. */
  readonly hook: string;
  /** In the order in which they run. */
  readonly #links: Link[];
  readonly #next: string;

  /** `first` is attached and calls what its object's map `next` holds, as all do but the `last`. */
  constructor(hook: string, core: BpfObject, first: string, last: string, next: string) {
    this.hook = hook;
    this.#next = next;
    this.#links = [
      { object: core, program: first },
      { object: core, program: last },
    ];
    this.#pointAt(1);
  }

  /** Before the last one, and from then on part of every change. */
  join(object: BpfObject, program: string): void {
    const last = this.#links.at(-1)!;
    last.object.place(last.program, object.map(this.#next), 0);
    this.#links.splice(-1, 0, { object, program });
    this.#pointAt(this.#links.length - 2);
  }

  /** Leaving a chain that it is not part of does nothing. */
  leave(object: BpfObject): void {
    const at = this.#links.findIndex((link, i) => i > 0 && link.object === object);
    if (at < 0 || at === this.#links.length - 1) return;
    this.#links.splice(at, 1);
    this.#pointAt(at);
  }

  #pointAt(index: number): void {
    const { object, program } = this.#links[index]!;
    object.place(program, this.#links[index - 1]!.object.map(this.#next), 0);
  }
}
