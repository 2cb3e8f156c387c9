// Divides the connections of the page's clients among users, so that one user cannot use up those of others. Tests:
// store/http/shares.test.ts.
import type { Socket } from "node:net";
import { userOf } from "./guard.ts";

/** Maximum open connections of all clients. */
export const SOCKETS = 64;

export class Shares {
  /** By user: the oldest connection first. */
  readonly #open = new Map<number | string, Set<Socket>>();
  #count = 0;

  /** If there are too many, one of the user who has the most is closed: the oldest, or this one if it is theirs. */
  take(socket: Socket): void {
    // Users on other hosts are not known.
    const user = userOf(socket) ?? socket.remoteAddress ?? "";
    const own = this.#open.get(user) ?? new Set();
    if (this.#count >= SOCKETS && !this.#makeRoom(own.size)) {
      socket.destroy();
      return;
    }
    this.#open.set(user, own.add(socket));
    this.#count++;
    socket.once("close", () => this.#forget(user, socket));
  }

  /** Closes a connection of a user who has more than `than`, and would still have as many without it. */
  #makeRoom(than: number): boolean {
    const [user, most] = [...this.#open].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    if (most.size <= than + 1) return false;
    const [oldest] = most;
    this.#forget(user, oldest!);
    oldest!.destroy();
    return true;
  }

  #forget(user: number | string, socket: Socket): void {
    const own = this.#open.get(user);
    if (!own?.delete(socket)) return;
    this.#count--;
    if (own.size === 0) this.#open.delete(user);
  }
}
