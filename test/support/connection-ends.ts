// The ends of connections that an agent reports, compared with what their own programs report.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import type { Agent, Row } from "./agent.ts";
import type { Netns } from "./netns.ts";
import type { Connection } from "./workload.ts";

/** The number of a namespace in rows. */
export function inodeOf(netns: Netns): number {
  return statSync(netns.path).ino;
}

/**
 * The rows of these namespaces from now on. A namespace's number may have been used by another one before, so connections
 * that began earlier are excluded.
 */
export class Ends {
  readonly #agent: Agent;
  /** The first row of the agent that has not been examined. */
  #next: number;
  readonly #found: Row[] = [];
  readonly #inodes: ReadonlySet<number>;
  readonly #since = Date.now() - 2;

  constructor(agent: Agent, ...namespaces: readonly Netns[]) {
    this.#agent = agent;
    this.#next = agent.rows.length;
    this.#inodes = new Set(namespaces.map(inodeOf));
  }

  get #rows(): readonly Row[] {
    const { rows } = this.#agent;
    for (; this.#next < rows.length; this.#next++) {
      const row = rows[this.#next]!;
      if (!this.#inodes.has(row["wirespan.netns.inode"] as number)) continue;
      if (Date.parse(String(row.start ?? row.time)) >= this.#since) this.#found.push(row);
    }
    return this.#found;
  }

  /** Waits until there are `count`; throws if there are more. */
  async all(count: number): Promise<readonly Row[]> {
    try {
      await this.#agent.until(() => this.#rows.length >= count);
    } catch (cause) {
      throw new Error(`of ${count} rows only these came: ${this.#rows.map(summary).join("; ")}`, { cause });
    }
    const rows = this.#rows;
    assert.equal(rows.length, count);
    return rows;
  }

  /** The only row. */
  async one(): Promise<Row> {
    const [row] = await this.all(1);
    return row ?? assert.fail();
  }

  /** Both ends of the only connection; they must share a trace, with the acceptor's span a child of the opener's. */
  async both(): Promise<{ readonly opener: Row; readonly acceptor: Row }> {
    const [both] = pairs(await this.all(2));
    return both ?? assert.fail();
  }
}

function summary(row: Row): string {
  const [local, peer] = [row["network.local.port"], row["network.peer.port"]];
  return `${row.name} ${row["wirespan.connection.direction"]} ${local} to ${peer} at ${row.start ?? row.time}`;
}

/** Pairs ends by their trace; throws if a trace does not have one opener and one acceptor as its child. */
export function pairs(rows: readonly Row[]): { readonly opener: Row; readonly acceptor: Row }[] {
  const traces = Map.groupBy(rows, (row) => row.trace_id);
  return [...traces.values()].map((ends) => {
    const opener = ends.find((row) => row["wirespan.connection.direction"] === "outbound");
    const acceptor = ends.find((row) => row["wirespan.connection.direction"] === "inbound");
    assert.ok(opener && acceptor && ends.length === 2, `a trace of ${JSON.stringify(ends)}`);
    assert.equal(opener.parent_span_id, undefined);
    assert.equal(acceptor.parent_span_id, opener.span_id);
    return { opener, acceptor };
  });
}

/** A program's report about its end, in the form that the agent must report. */
export function expectedRow(line: Connection): Row {
  const v4 = line.family === "ipv4" || line.mapped;
  const plain = (address: string) => address.replace(/^::ffff:/, "");
  return {
    "network.type": v4 ? "ipv4" : "ipv6",
    "network.local.address": plain(line.local),
    "network.local.port": line.localPort,
    "network.peer.address": plain(line.remote),
    "network.peer.port": line.remotePort,
    "wirespan.connection.mapped": line.mapped || undefined,
    "wirespan.connection.direction": line.role === "client" ? "outbound" : "inbound",
    "wirespan.connection.id": line.cookie.toString(16),
    "process.pid": line.pid,
    "thread.name": line.comm,
    "wirespan.tcp.bytes_sent": line.sent,
    "wirespan.tcp.bytes_received": line.received,
  };
}

/** Asserts the fields in `expected`; undefined: the row must not have it. */
export function assertRow(row: Row, expected: Row): void {
  const found = Object.fromEntries(Object.keys(expected).map((key) => [key, row[key]]));
  assert.deepEqual(found, expected);
}
