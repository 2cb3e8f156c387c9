// Connections that load the page count as the agent's own traffic, which `self.exclude` excludes at both ends; and what the page
// shows right after its start.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Listeners } from "../../store/answers.ts";
import { type Row, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { Staged } from "../support/staged.ts";
import { until } from "../support/until.ts";

const VISITS = 20;

/** Loads the page in a loop, then a server of its own, whose port it prints. */
const VISIT = `
import { get, createServer } from "node:http";
const load = (port) => new Promise((resolve, reject) =>
  get({ host: "127.0.0.1", port, agent: false }, (answer) => answer.resume().once("close", resolve)).once("error", reject));
for (let i = 0; i < ${VISITS}; i++) await load(Number(process.argv[1]));
const server = createServer((_, answer) => answer.end()).listen(0, "127.0.0.1", async () => {
  await load(server.address().port);
  console.log(server.address().port);
  server.close();
});`;

describe("the page's own connections", () => {
  before(function () {
    needsRoot(this);
  });

  /** The rows about connections of the page and of the other server, once those of the latter are reported. */
  async function visit(exclude: boolean): Promise<{ page: Row[]; other: Row[] }> {
    const folder = await mkdtemp(join(tmpdir(), "wirespan-viewer-"));
    await using netns = await Netns.create();
    const config = `
self: { exclude: ${exclude} }
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db" }
exporters: { c: { type: console, format: json, rate: 1000 } }
`;
    try {
      await using agent = await startAgent([], { netns, config });
      const port = await until("the page", () => {
        const line = agent.stderr.find((text) => /http:\/\/127\.0\.0\.1:\d+/.test(text));
        return line === undefined ? undefined : /127\.0\.0\.1:(\d+)/.exec(line)![1];
      });
      const own = (await netns.run(process.execPath, "--input-type=module", "-e", VISIT, port)).trim();
      const of = (rows: readonly Row[], wanted: string) =>
        rows.filter(
          ({ signal, "network.local.port": local, "network.peer.port": peer }) =>
            signal === "span" && [String(local), String(peer)].includes(wanted),
        );
      const isOver = ({ name }: Row) => name === "tcp connection";
      await agent.until((rows) => of(rows, own).filter(isOver).length === 2);
      return { page: of(agent.rows, port), other: of(agent.rows, own) };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it("are not reported, at neither end", async () => {
    const { page, other } = await visit(true);
    assert.ok(other.length >= 2);
    assert.deepEqual(page, []);
  });

  it("are reported if self.exclude is false", async () => {
    const { page } = await visit(false);
    assert.equal(page.filter(({ name }) => name === "tcp connection").length, 2 * VISITS);
  });
});

describe("a page that has just been started", () => {
  before(function () {
    needsRoot(this);
  });

  it("shows the queue of a listener before the first interval is over", async () => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "wirespan-viewer-"));
    stack.defer(() => rm(folder, { recursive: true }));
    const netns = stack.use(await Netns.create());
    const server = await Staged.faulty(netns, "server", "unattended", 9100);
    stack.defer(() => server.end());
    const client = await Staged.start(netns, "client", "ask", "127.0.0.1", "9100", "2");
    stack.defer(() => client.end());
    await until("a waiting connection", async () => {
      const [, waiting] = (await netns.run("ss", "-Hltn")).split(/\s+/);
      return Number(waiting) > 0;
    });
    const agent = stack.use(
      await startAgent([], {
        config: `
metrics: { interval: 1h }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db" }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
      }),
    );
    const url = await until("the page's address", () =>
      agent.stderr.map((line) => /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0]).find((one) => one),
    );
    const listener = await until("the listener", async () => {
      const answer = await fetch(new URL("/api/v1/listeners", url));
      return ((await answer.json()) as Listeners).listeners.find(({ port }) => port === 9100);
    });
    assert.ok(listener.waiting > 0, JSON.stringify(listener));
  });
});
