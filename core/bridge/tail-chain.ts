// Programs on one hook, each of which calls the next; bpf/include/wirespan/{chain,sweep,hooks/accept_chain}.h explain
// why.
import type { BpfObject } from "../../native/index.ts";

interface Link {
  readonly object: BpfObject;
  readonly program: string;
}

/** The programs of a chain for one kind of event, in the order in which they run; the first one is always there. */
class Order {
  readonly #links: Link[];
  readonly #calls: (from: Link, to: Link | undefined) => void;
  /** 1 if the last one stays last. */
  readonly #ends: number;

  readonly #cutsOff: boolean;

  constructor(
    first: Link,
    last: Link | undefined,
    calls: (from: Link, to: Link | undefined) => void,
    cutsOff: boolean,
  ) {
    this.#cutsOff = cutsOff;
    this.#links = last ? [first, last] : [first];
    this.#calls = calls;
    this.#ends = last ? 1 : 0;
    if (last) calls(first, last);
  }

  /** After those that plugins have already joined, and part of every event from then on. */
  join(link: Link): void {
    const at = this.#links.length - this.#ends;
    this.#links.splice(at, 0, link);
    if (this.#ends) this.#calls(link, this.#links[at + 1]);
    this.#calls(this.#links[at - 1]!, link);
  }

  leave(object: BpfObject): void {
    const at = this.#links.findIndex((link, i) => i > 0 && link.object === object);
    if (at < 0 || at >= this.#links.length - this.#ends) return;
    const [left] = this.#links.splice(at, 1);
    this.#calls(this.#links[at - 1]!, this.#links[at]);
    if (this.#cutsOff) this.#calls(left!, undefined);
  }
}

/** The kinds in a bit set. */
const kindsIn = (bits: number): number[] => [...Array(32).keys()].filter((kind) => bits & (1 << kind));

export interface ChainOptions {
  /** Programs on it join the chain instead of being attached. */
  readonly hook: string;
  readonly core: BpfObject;
  /** The program that the kernel enters, and the one that is called last, at events of the kinds `lastWants`. */
  readonly first: string;
  readonly last?: string;
  readonly lastWants?: number;
  /** The map of each object that holds what its program calls next, by kind of event. */
  readonly next: string;
  /** True if no event is in progress when a program leaves: its own link to the next program is then removed. */
  readonly cutsOff?: boolean;
}

export class Chain {
  readonly hook: string;
  readonly #orders: readonly Order[];

  constructor({ hook, core, first, last, lastWants = 0, next, cutsOff = false }: ChainOptions) {
    this.hook = hook;
    this.#orders = Array.from({ length: core.map(next).maxEntries }, (_, kind) => {
      const calls = (from: Link, to: Link | undefined) => {
        const map = from.object.map(next);
        if (to) to.object.place(to.program, map, kind);
        else map.delete(new Uint8Array(Uint32Array.of(kind).buffer));
      };
      const end = last && lastWants & (1 << kind) ? { object: core, program: last } : undefined;
      return new Order({ object: core, program: first }, end, calls, cutsOff);
    });
  }

  /** `wants`: kinds of event, one bit each. */
  join(object: BpfObject, program: string, wants: number): void {
    for (const kind of kindsIn(wants)) this.#orders[kind]!.join({ object, program });
  }

  /** Leaving a chain that it is not part of does nothing. */
  leave(object: BpfObject): void {
    for (const order of this.#orders) order.leave(object);
  }
}
