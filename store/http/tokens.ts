// Tokens: a configured one, single-use ones, and the sessions that they open.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** Number of wrong tokens after which each response is delayed, and by how many milliseconds. */
const SLOW = { after: 10, ms: 1000 };
/** Sessions and unused one-time tokens. */
const MOST = 64;
/** Milliseconds for which a one-time token is valid. */
const GOOD_FOR = 10 * 60_000;

export class Tokens {
  readonly #token: Buffer | undefined;
  readonly #once = new Map<string, number>();
  readonly #sessions = new Set<string>();
  #wrong = 0;

  constructor(token: string | undefined) {
    this.#token = token === undefined ? undefined : digest(token);
  }

  /** Registers a single-use token. */
  addOnce(token: string): void {
    this.#once.set(digest(token).toString("hex"), Date.now() + GOOD_FOR);
    forgetOldest(this.#once);
  }

  /** A session for a valid token. Slow after many invalid ones. */
  async exchange(token: string): Promise<string | undefined> {
    if (this.#wrong > SLOW.after) await sleep(SLOW.ms);
    const given = digest(token);
    const once = given.toString("hex");
    const isOnce = (this.#once.get(once) ?? 0) > Date.now();
    this.#once.delete(once);
    const isNamed = this.#token !== undefined && timingSafeEqual(this.#token, given);
    if (!isOnce && !isNamed) {
      this.#wrong++;
      return undefined;
    }
    this.#wrong = 0;
    const session = randomBytes(32).toString("base64url");
    this.#sessions.add(digest(session).toString("hex"));
    forgetOldest(this.#sessions);
    return session;
  }

  async holds(session: string): Promise<boolean> {
    return session !== "" && this.#sessions.has(digest(session).toString("hex"));
  }
}

function forgetOldest(all: Map<string, number> | Set<string>): void {
  const [oldest] = all.keys();
  if (all.size > MOST && oldest !== undefined) all.delete(oldest);
}

// Digests have the same length, and comparing them reveals nothing about the token.
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
