// The owner of an accepted connection: the same process whichever plugins run, for `trace` as for the agent.
import assert from "node:assert/strict";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../support/agent.ts";
import { assertRow, Ends, inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { assertKind, type KINDS as DOCUMENTED } from "../support/kinds.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { build, type Options, one, pick, run } from "../support/workload.ts";
import type { Case, Connection, Line } from "../support/workload-lines.ts";

/** Linux 6.1 does not show the sender. */
const seesSends = native.tracepointArity("sock_send_length") >= 0;

/** The expected attributes of the acceptor's end, according to the workload. */
interface Kind {
  readonly title: string;
  /** Its row in docs/identity.md. */
  readonly kind?: keyof typeof DOCUMENTED;
  readonly workload: Case;
  readonly options: Options;
  /** The owners' reports about their connections. */
  readonly owned: (lines: readonly Line[]) => readonly Connection[];
  readonly source: (seesAccepts: boolean) => string;
  /** Another process that accepts, according to the hook. */
  readonly acceptor?: { readonly name: string };
  readonly needsSends?: boolean;
}

const io = () => "io";
const unused = (seesAccepts: boolean) => (seesAccepts ? "accept" : "close");
const server = (lines: readonly Line[]) => pick(lines, "end").filter(({ role }) => role !== "client");

const KINDS: readonly Kind[] = [
  {
    title: "of a server that forks for each: the child's, the parent accepted",
    kind: "forking",
    workload: "forking",
    options: { up: 100, down: 45, count: 3 },
    owned: server,
    source: io,
    acceptor: { name: "psrv" },
  },
  {
    title: "of a server that forks for each and whose child only sends: the child's",
    workload: "forking",
    options: { down: 45, count: 3 },
    owned: server,
    source: io,
    acceptor: { name: "psrv" },
    needsSends: true,
  },
  {
    title: "of a worker that accepts and serves: the worker's",
    kind: "prefork",
    workload: "prefork",
    options: { up: 100, down: 45, count: 3 },
    owned: server,
    source: io,
  },
  {
    title: "of a worker that accepts and closes: the worker's, 20 of 20",
    kind: "preforkClose",
    workload: "prefork",
    options: { count: 20 },
    owned: server,
    source: unused,
  },
  {
    title: "of a worker that accepts and is killed: the worker's",
    workload: "killedWorker",
    options: {},
    owned: (lines) => pick(lines, "accepted"),
    source: unused,
  },
  {
    title: "of a service whose listener its supervisor opened: the service's",
    kind: "activated",
    workload: "activated",
    options: { up: 100, down: 45, count: 3 },
    owned: server,
    source: io,
  },
  {
    title: "of a service whose listener its supervisor opened, that only closes: the service's",
    workload: "activated",
    options: { count: 3 },
    owned: server,
    source: unused,
  },
  {
    title: "that was passed to another process: whose sends it",
    kind: "passed",
    workload: "passedToChild",
    options: {},
    owned: server,
    source: io,
    acceptor: { name: "psrv" },
    needsSends: true,
  },
  {
    title: "that one thread accepts while another listens: the thread's",
    workload: "acceptedByThread",
    options: {},
    owned: server,
    source: io,
  },
];

const ACCEPTOR = "wirespan.process.acceptor";

function assertOwner(kind: Kind, lines: readonly Line[], rows: readonly Row[], seesAccepts: boolean): void {
  const owners = kind.owned(lines);
  assert.equal(rows.length, owners.length);
  const acceptor = seesAccepts && kind.acceptor ? kind.acceptor.name : undefined;
  const accepting = one(lines, "listening").pid;
  for (const { pid, tid, comm, remotePort } of owners) {
    const row = rows.find((r) => r["network.peer.port"] === remotePort);
    assertRow(row ?? assert.fail(`none of ${comm}: ${JSON.stringify(rows)}`), {
      "process.pid": pid,
      "wirespan.process.source": kind.source(seesAccepts),
      "wirespan.thread.tid": tid,
      "thread.name": comm,
      "wirespan.process.closer.pid": undefined,
      "wirespan.process.last_user.pid": undefined,
      [`${ACCEPTOR}.pid`]: acceptor && accepting,
      [`${ACCEPTOR}.name`]: acceptor,
    });
  }
}

const isInbound = (row: Readonly<Record<string, unknown>>) =>
  row["wirespan.connection.direction"] === "inbound";

describe("accepted connections", () => {
  let agent: Agent;
  let plain: Watch;
  let accepting: Watch;

  before(async function () {
    needsRoot(this);
    await build();
    agent = await startAgent(["trace", "tcplife", "--json"]);
    plain = await watch(["tcplife"]);
    accepting = await watch(["tcplife", "tcpaccept"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await plain?.[Symbol.asyncDispose]();
    await accepting?.[Symbol.asyncDispose]();
  });

  for (const kind of KINDS) {
    it(kind.title, async function () {
      if (kind.needsSends && !seesSends) skip(this, "this kernel has no tracepoint sock_send_length");
      await using netns = await Netns.create();
      const inode = inodeOf(netns);
      const ends = new Ends(agent, netns);
      // The number may have belonged to another namespace before.
      const from = new Map([plain, accepting].map((seen) => [seen, seen.spans.length]));
      const lines = await run(netns, kind.workload, kind.options);
      const count = 2 * kind.owned(lines).length;
      assertOwner(kind, lines, (await ends.all(count)).filter(isInbound), false);
      for (const [seen, seesAccepts] of [
        [plain, false],
        [accepting, true],
      ] as const) {
        const here = () =>
          seen.spans
            .slice(from.get(seen))
            .filter(
              ({ name, attributes }) =>
                name === "tcp connection" && attributes["wirespan.netns.inode"] === inode,
            );
        await seen.until(`${count} ends`, () => here().length >= count);
        const rows = here().map(({ attributes }) => attributes as Row);
        const inbound = here().filter(({ attributes }) => isInbound(attributes));
        if (kind.kind) for (const { resource } of inbound) assertKind(kind.kind, resource);
        assertOwner(kind, lines, rows.filter(isInbound), seesAccepts);
      }
    });
  }
});
