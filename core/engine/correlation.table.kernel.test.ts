// Contexts that applications keep in a table of their own: for what is encrypted, and for connections that fail.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Certificates, hasOpenssl } from "../../test/support/certificates.ts";
import { watchContexts } from "../../test/support/contexts.ts";
import { size } from "../../test/support/long.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A table's header, 64 bytes (docs/context-table.md). */
function header(changes: { readonly slots?: number; readonly slotBytes?: number } = {}): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write("WSNCTXT1");
  bytes.writeUInt32LE(64, 8);
  bytes.writeUInt32LE(changes.slots ?? 16, 12);
  bytes.writeUInt32LE(changes.slotBytes ?? 256, 16);
  return bytes;
}

async function send(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  await new Promise((resolve) => socket.write(bytes, resolve));
  socket.destroy();
}

/** A port of the host on which another process listens. */
async function listener(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const program =
    'require("node:net").createServer((s) => s.resume()).listen(0, "127.0.0.1", function () { console.log(this.address().port); })';
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(child.stdout, "data");
  return { port: Number(String(port)), stop: () => child.kill("SIGKILL") };
}

describe("contexts in an application's table", function () {
  this.timeout(60_000);
  let folder: string;

  before(async function () {
    needsRoot(this);
    if (!hasOpenssl()) skip(this, "no openssl on this machine");
    folder = await mkdtemp(join(tmpdir(), "wirespan-table-"));
    const certificates = new Certificates(folder);
    certificates.authority("ca");
  });

  after(() => rm(folder, { recursive: true, force: true }));

  const requests = size(200, 1000);
  const attempts = size(20, 200);
  it(`are those of each of ${requests} requests over TLS, at both ends, and of ${attempts} attempts that are refused`, async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts(["tcplife"], {
      "filter.include.netns": String(statSync(netns.path).ino),
      "correlate.rate": "100000",
    });
    const child = netns.spawn(
      process.execPath,
      [
        "--import",
        `${root}correlate/node/register.js`,
        `${root}test/http/tls.mjs`,
        join(folder, "ca.key"),
        join(folder, "ca.pem"),
        ...[requests, 8, attempts].map(String),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [printed] = await Promise.all([text(child.stdout!), once(child, "close")]);
    const said = JSON.parse(printed) as { readonly asked: string[]; readonly refused: string[] };
    assert.deepEqual([said.asked.length, said.refused.length], [requests, attempts]);
    const sorted = (list: readonly string[]) => list.toSorted();
    await w.seen.until("both ends' contexts", () => w.traceparents("sent").length >= 2 * requests);
    // The client's requests, and the server's answers, which its library labels itself.
    assert.deepEqual(sorted(w.traceparents("sent")), sorted([...said.asked, ...said.asked]));
    const failed = () =>
      w.seen.spans.filter(
        ({ name, attributes, error }) =>
          name === "tcp connect" && attributes["wirespan.context.source"] && error,
      );
    await w.seen.until("refused attempts", () => failed().length >= attempts);
    assert.deepEqual(
      sorted(failed().map((s) => `00-${s.traceId}-${s.parentSpanId}-01`)),
      sorted(said.refused),
    );
    for (const { error, links } of failed())
      assert.deepEqual([error, links.length], ["connection_refused", 1]);
    // Of one failure one span is an error.
    const others = w.seen.spans.filter(
      ({ attributes, error }) => error && !attributes["wirespan.context.source"],
    );
    assert.deepEqual(others, []);
  });

  it("are not read if their announcement is malformed, or goes to another process", async () => {
    await using w = await watchContexts([], { "filter.include.pid": String(process.pid) });
    const own = createServer((socket) => socket.on("error", () => {}).resume());
    await using made = new AsyncDisposableStack();
    made.defer(() => void own.close());
    own.listen(0, "127.0.0.1");
    await once(own, "listening");
    const { port } = own.address() as AddressInfo;
    for (const bytes of [
      header({ slots: 3 }),
      header({ slots: 8192 }),
      header({ slotBytes: 64 }),
      Buffer.concat([header(), header()]),
    ])
      await send(port, bytes);
    const other = await listener();
    await send(other.port, header());
    other.stop();
    // A refusal holds for a second.
    await w.seen.collect();
    assert.equal(w.seen.engine.correlation!.counts.refusedAnnouncements, 5);
    assert.equal(w.seen.engine.correlation!.counts.announced, 0);
    // A table is announced once, however often that is repeated.
    const table = header();
    await w.seen.until("an announcement", () => {
      void send(port, table);
      void w.seen.collect();
      return w.seen.engine.correlation!.counts.announced > 0;
    });
    assert.equal(w.seen.engine.correlation!.counts.announced, 1);
  });

  /** What test/table/tables.py says of itself, in a network namespace of its own. */
  async function tables(netns: Netns, ...words: readonly string[]): Promise<Record<string, string[]>> {
    const said = await netns.run("python3", "-B", `${root}test/table/tables.py`, ...words);
    return JSON.parse(said) as Record<string, string[]>;
  }

  for (const descriptors of [10, 4000]) {
    it(`are those of a process and of its first thread at once, with ${descriptors} open descriptors`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts(["tcpconnect"], {
        "filter.include.netns": String(statSync(netns.path).ino),
      });
      const { refused } = await tables(netns, "both", String(descriptors));
      const failed = () => w.seen.spans.filter(({ error }) => error);
      await w.seen.until("refused attempts", () => failed().length >= 20);
      assert.deepEqual(
        failed().map((s) => `00-${s.traceId}-${s.parentSpanId}-01`),
        refused,
      );
      await w.seen.collect();
      const { announced, refusedAnnouncements } = w.seen.engine.correlation!.counts;
      assert.deepEqual([announced, refusedAnnouncements], [2, 0]);
    });
  }

  it("are all of a slot as its numbers go round and as it changes hands, and those lost are counted", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], { "filter.include.netns": String(statSync(netns.path).ino) });
    const { sent } = await tables(netns, "slots");
    assert.equal(sent!.length, 56 + 2 + 1 + 7);
    assert.deepEqual(w.traceparents("sent"), sent);
    await w.seen.collect();
    assert.deepEqual(
      [w.seen.engine.correlation!.unread.overrun, w.seen.engine.correlation!.unread.torn],
      [2, 0],
    );
  });
});
