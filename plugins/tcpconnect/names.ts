// The name whose lookup returned the address that a process connects to, from the DNS answers that it received.
import { LruCache } from "../../core/plugin/lru.ts";
import type { Answer } from "./message.ts";

/** A process in a network namespace. */
export interface Asker {
  readonly netnsCookie: number;
  readonly pid: number;
  readonly startedAt: number;
}

/** An answer when a process received it; nanoseconds on the boot clock. */
interface Named {
  readonly name: string;
  readonly answeredAt: number;
  readonly endsAt: number;
}

/** An application needs a moment to use an answer with a time to live of 0, or to try its second address. */
const LEAST_SECONDS = 5;
/** Answers kept for each address: a handshake may outlast the next answer. */
const KEPT = 4;

export class DnsNames {
  /** Read, but not yet received by a process. */
  readonly #untaken: LruCache<number, { readonly answer: Answer; readonly answeredAt: number }>;
  readonly #named: LruCache<string, readonly Named[]>;

  constructor(limit = 16_384) {
    this.#untaken = new LruCache(Math.ceil(limit / 16));
    this.#named = new LruCache(limit);
  }

  answered(serial: number, answeredAt: number, answer: Answer): void {
    this.#untaken.set(serial, { answer, answeredAt });
  }

  /** A process has received an answer. */
  taken(serial: number, by: Asker): void {
    const found = this.#untaken.get(serial);
    if (!found) return;
    const { answer, answeredAt } = found;
    for (const { text, ttl } of answer.addresses) {
      const key = keyOf(by, text);
      const endsAt = answeredAt + Math.max(ttl, LEAST_SECONDS) * 1e9;
      const others = (this.#named.get(key) ?? []).filter(({ answeredAt: at }) => at !== answeredAt);
      this.#named.set(key, [{ name: answer.name, answeredAt, endsAt }, ...others].slice(0, KEPT));
    }
  }

  /** The name of the process's latest lookup that returned the address before that time, and seconds since the answer. */
  find(
    process: Asker,
    address: string,
    at: number,
  ): { readonly name: string; readonly age: number } | undefined {
    const named = this.#named.get(keyOf(process, address));
    const found = named?.find(({ answeredAt, endsAt }) => answeredAt <= at && at <= endsAt);
    return found && { name: found.name, age: (at - found.answeredAt) / 1e9 };
  }
}

function keyOf({ netnsCookie, pid, startedAt }: Asker, address: string): string {
  return `${netnsCookie} ${pid} ${startedAt} ${address}`;
}
