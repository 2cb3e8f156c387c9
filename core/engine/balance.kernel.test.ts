// Events that the kernel does not show to any program: they are detected, corrected as far as possible, and counted
// exactly.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot, parseCounters } from "../../test/support/netns.ts";
import { build, type Running, run, start } from "../../test/support/workload.ts";

const STATES = ["on_state", "on_state_nested"];

/** State changes during this time are not shown to any program. */
async function blindly(seen: Watch, work: () => Promise<unknown>): Promise<void> {
  const { object } = seen.engine.tracker.loaded;
  for (const program of STATES) object.detach(program);
  await work();
  for (const program of STATES) object.attach(program);
}

/** Counters of a namespace, given one of its processes. */
function tcpCounters(pid: string): Readonly<Record<string, number>> {
  return parseCounters(readFileSync(`/proc/${pid}/net/snmp`, "latin1"));
}

/** Ends in all other namespaces that have processes. */
class Elsewhere {
  readonly #begun = new Map<string, Readonly<Record<string, number>>>();

  constructor(netns: Netns) {
    const own = String(inodeOf(netns));
    for (const [inode, pid] of namespaces()) if (inode !== own) this.#begun.set(inode, tcpCounters(pid));
  }

  /** Maximum number of connections that ended since then; namespaces that are gone cannot be checked. */
  ended(): number {
    const now = namespaces();
    let sum = 0;
    for (const [inode, before] of this.#begun) {
      const pid = now.get(inode);
      if (pid === undefined) return Number.POSITIVE_INFINITY;
      const after = tcpCounters(pid);
      const moved = (name: string) => (after[`Tcp.${name}`] ?? 0) - (before[`Tcp.${name}`] ?? 0);
      sum += moved("ActiveOpens") + moved("PassiveOpens") - moved("CurrEstab");
    }
    return sum;
  }
}

/** A process of each network namespace, by the namespace's inode. */
function namespaces(): Map<string, string> {
  const found = new Map<string, string>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      found.set(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))![0], pid);
    } catch {
      // It has ended.
    }
  }
  return found;
}

const outbound = ({ attributes }: Kept) => attributes["wirespan.connection.direction"] === "outbound";

describe("events that the kernel does not show", () => {
  let netns: Netns;
  let seen: Watch;
  let puppet: Running;

  before(function () {
    needsRoot(this);
  });

  beforeEach(async () => {
    await build();
    netns = await Netns.create();
    seen = await watch(["tcplife", "tcptop", "tcpdrop"], {
      "filter.include.netns": String(inodeOf(netns)),
    });
    puppet = await start(netns, "puppet");
  });

  afterEach(async () => {
    await puppet[Symbol.asyncDispose]();
    await seen[Symbol.asyncDispose]();
    await netns[Symbol.asyncDispose]();
  });

  /** The connection spans, the opener's first, once there are that many. */
  async function ends(count: number): Promise<readonly Kept[]> {
    await seen.until(`${count} ends`, () => seen.spans.length >= count);
    return seen.spans.toSorted((a, b) => Number(outbound(b)) - Number(outbound(a)));
  }

  const bytes = ({ attributes }: Kept) => [
    attributes["wirespan.tcp.bytes_sent"],
    attributes["wirespan.tcp.bytes_received"],
  ];

  /** What two sweeps confirmed, at a time when nothing else on this host opened or ended. */
  async function balance(): Promise<Readonly<Record<string, number>>> {
    for (let sweeps = 2; sweeps < 50; sweeps++) {
      await seen.collect();
      const { opened, ended, living, lost } = seen.engine.connections;
      if (sweeps > 2 && opened === ended + living + lost.unseen)
        return { lost: lost.unseen, unseen: seen.engine.unseen };
    }
    throw new Error(`the balance does not close: ${JSON.stringify(seen.engine.connections)}`);
  }

  /** Rows of one of the tracker's tables; those of other agents are separate. */
  function rows(name: string): number {
    const map = seen.engine.tracker.loaded.object.map(name);
    const room = 4096;
    return map.read(new Uint8Array(room * map.keySize), new Uint8Array(room * map.valueSize));
  }

  it("none: nothing is lost", async () => {
    await puppet.act("listen l", "connect c l", "accept a l", "send c a 100", "close c", "close a");
    await ends(2);
    assert.deepEqual(await balance(), { lost: 0, unseen: 0 });
  });

  it("a handshake: both ends become connections, and their sequence numbers are read at the next change", async () => {
    await puppet.act("listen l");
    await blindly(seen, () => puppet.act("connect c l", "accept a l", "send c a 100"));
    await puppet.act("send a c 20", "close c", "close a");
    const [opener, acceptor] = await ends(2);
    assert.deepEqual(
      [bytes(opener!), bytes(acceptor!)],
      [
        [100, 20],
        [20, 100],
      ],
    );
    assert.equal(opener!.traceId, acceptor!.traceId);
    for (const { attributes } of [opener!, acceptor!]) {
      assert.equal(attributes["wirespan.connection.start_unknown"], true);
      assert.equal(attributes["process.executable.name"], "pcli");
    }
    assert.deepEqual(await balance(), { lost: 0, unseen: 2 });
  });

  it("only the change to established: the attempt becomes a connection", async () => {
    await puppet.act("listen l");
    // The listener's end is new; the opener's earlier changes are known.
    await blindly(seen, () => puppet.act("connect c l", "accept a l"));
    await seen.collect();
    assert.deepEqual(await balance(), { lost: 0, unseen: 1 });
    await puppet.act("send c a 10", "close a", "close c");
    const [opener, acceptor] = await ends(2);
    assert.equal(opener!.traceId, acceptor!.traceId);
    assert.deepEqual(
      [bytes(opener!), bytes(acceptor!)],
      [
        [10, 0],
        [0, 10],
      ],
    );
  });

  it("that one side has finished: the end reports everything", async () => {
    await puppet.act("listen l", "connect c l", "accept a l", "send c a 100");
    await blindly(seen, () => puppet.act("fin c"));
    await puppet.act("close a", "close c");
    const [opener, acceptor] = await ends(2);
    assert.deepEqual(
      [bytes(opener!), bytes(acceptor!)],
      [
        [100, 0],
        [0, 100],
      ],
    );
    assert.equal(opener!.attributes["wirespan.tcp.close.reason"], "fin_local");
    assert.equal(acceptor!.attributes["wirespan.tcp.close.reason"], "fin_remote");
    assert.deepEqual(await balance(), { lost: 0, unseen: 2 });
  });

  it("the ends: they are lost, and leave nothing behind", async () => {
    await puppet.act("listen l");
    const queued = rows("unaccepted");
    await puppet.act("connect c l", "accept a l", "send c a 100", "connect d l");
    assert.deepEqual(await balance(), { lost: 0, unseen: 0 });
    const tuples = rows("tuples");
    await blindly(seen, () => puppet.act("close c", "close a", "reset d"));
    // A connection that has not been accepted still has a socket, which is closed.
    assert.deepEqual(await balance(), { lost: 3, unseen: 4 });
    assert.equal((await ends(1))[0]!.attributes["wirespan.connection.end_unknown"], true);
    assert.equal(rows("tuples"), tuples - 4);
    assert.equal(rows("unaccepted"), queued);
  });

  it("an end whose socket is still held: a sweep finds and reports it", async () => {
    await puppet.act("listen l", "connect c l", "accept a l", "send c a 100", "send a c 7");
    await blindly(seen, () => puppet.act("reset a"));
    await seen.collect();
    const [opener] = await ends(1);
    assert.ok(outbound(opener!));
    assert.deepEqual(bytes(opener!), [100, 7]);
    assert.equal(opener!.attributes["wirespan.connection.end_unknown"], true);
    assert.equal(opener!.attributes["wirespan.tcp.close.reason"], "rst_received");
    assert.deepEqual(await balance(), { lost: 1, unseen: 2 });
    await puppet.act("close c");
    assert.deepEqual(await balance(), { lost: 1, unseen: 2 });
    assert.equal(seen.spans.length, 1);
  });

  it("an end whose socket connects again: the first is lost, the second reported", async () => {
    await puppet.act("listen l", "connect c l", "accept a l");
    await blindly(seen, () => puppet.act("unconnect c"));
    await puppet.act("connect c l", "accept b l", "send c b 5", "close c", "close b", "close a");
    const spans = await ends(2);
    assert.deepEqual(spans.map(bytes), [
      [5, 0],
      [0, 5],
    ]);
    // Both ends of the first connection.
    assert.deepEqual(await balance(), { lost: 2, unseen: 2 });
  });

  it("at any moment of a burst: reported and lost connections add up to those that were opened", async () => {
    const count = 10_000;
    const unseen = 100;
    // On the whole host, among the connections that were open when the agent started.
    const { lost: before } = await balance();
    const elsewhere = new Elsewhere(netns);
    const opened = () => tcpCounters(String(puppet.pid))["Tcp.ActiveOpens"] ?? 0;
    const until = async (number: number) => {
      while (opened() < number) await delay(1);
    };
    const work = run(netns, "burst", { count });
    for (const begun of [1000, 2000, 3000]) {
      await until(begun);
      await blindly(seen, () => until(Math.min(opened() + 200, count)));
    }
    await work;
    // On a busy machine the burst can be over before these moments.
    await blindly(seen, () => run(netns, "burst", { count: unseen }));
    await netns.settled();
    const { lost } = await balance();
    const made = 2 * (count + unseen);
    await seen.until("all ends", () => seen.spans.length + lost! - before! >= made);
    const missing = made - seen.spans.length;
    assert.ok(missing >= 2 * unseen, `${missing} missing`);
    assert.equal(new Set(seen.spans.map(({ spanId }) => spanId)).size, seen.spans.length);
    // The balance covers the whole host.
    const others = lost! - before! - missing;
    const most = elsewhere.ended();
    assert.ok(others >= 0 && others <= most, `${others} losses too many, ${most} ends elsewhere`);
    assert.equal(seen.counters().lost_spans, 0);
  });
});
