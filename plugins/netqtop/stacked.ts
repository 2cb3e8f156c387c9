// What interfaces on top of others receive. Their frames arrive as the lower interface's and become theirs after
// the only tracepoint, so the interface's own statistics are read: frames and bytes, not by queue or size.
import type { FoundLinks, Link } from "../../core/plugin/services.ts";

/** Their kinds in rtnetlink's terms. */
const KINDS: ReadonlySet<string> = new Set([
  ...["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "bond", "team", "vrf", "ifb"],
]);

/** Whether frames that an interface of this kind receives are observed as another's. */
export function isStacked(kind: string): boolean {
  return KINDS.has(kind);
}

/** Interfaces without change for this long are not reported: most of them are gone. */
const IDLE_MS = 5 * 60_000;

/** Since the start. */
export interface Received {
  readonly interface: string;
  readonly ifindex: number;
  readonly netnsCookie: number;
  readonly netns: number;
  frames: number;
  bytes: number;
  /** When that last changed, milliseconds. */
  movedAt: number;
}

export class Stacked {
  readonly #read: () => FoundLinks;
  readonly #isWanted: (name: string) => boolean;
  readonly #refused: (error: NodeJS.ErrnoException) => void;
  readonly #most: number;
  /** Each interface's last statistics. */
  readonly #last = new Map<string, Pick<Link, "packets" | "bytes">>();
  /** Under each of its names. */
  readonly #received = new Map<string, Received>();

  /**
   * What was received before is not counted; for an interface that is created later, everything is. `most`: number of
   * interfaces that are remembered; if there are more, the oldest are forgotten.
   */
  constructor(
    read: () => FoundLinks,
    isWanted: (name: string) => boolean,
    refused: (error: NodeJS.ErrnoException) => void,
    most = 4096,
  ) {
    this.#read = read;
    this.#isWanted = isWanted;
    this.#refused = refused;
    this.#most = most;
    this.#visit(true, performance.now());
  }

  /** `expected`: interfaces were observed that may have others on top. Without any, nothing is read. */
  received(expected: boolean, nowMs = performance.now()): Iterable<Received> {
    if (expected || this.#last.size > 0) this.#visit(false, nowMs);
    return [...this.#received.values()].filter(({ movedAt }) => nowMs - movedAt < IDLE_MS);
  }

  #visit(first: boolean, nowMs: number): void {
    const { namespaces, refused } = this.#read();
    if (refused && !first) this.#refused(refused);
    for (const { netns, cookie, links } of namespaces) {
      for (const link of links) {
        if (!isStacked(link.kind) || !this.#isWanted(link.name)) continue;
        const id = `${cookie} ${link.index}`;
        const last = first ? link : this.#last.get(id);
        const from = { interface: link.name, ifindex: link.index, netnsCookie: cookie, netns };
        const frames = Math.max(0, link.packets - (last?.packets ?? 0));
        const bytes = Math.max(0, link.bytes - (last?.bytes ?? 0));
        this.#add(`${id} ${link.name}`, { ...from, frames, bytes, movedAt: nowMs });
        this.#last.set(id, { packets: link.packets, bytes: link.bytes });
      }
    }
    for (const map of [this.#last, this.#received])
      for (const id of [...map.keys()].slice(0, Math.max(0, map.size - this.#most))) map.delete(id);
  }

  #add(id: string, more: Received): void {
    const received = this.#received.get(id);
    if (!received) {
      this.#received.set(id, more);
    } else if (more.frames) {
      received.frames += more.frames;
      received.bytes += more.bytes;
      received.movedAt = more.movedAt;
    }
  }
}
