// Contexts that applications keep in a table of their own: for encrypted data, and for failing connections.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Certificates, hasOpenssl } from "../../test/support/certificates.ts";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { size } from "../../test/support/long.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { until } from "../../test/support/until.ts";

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

const parentOf = (span: { readonly traceId: string; readonly parentSpanId: string | undefined }) =>
  `00-${span.traceId}-${span.parentSpanId}-01`;

const named = (w: ContextWatch, name: string) => w.seen.spans.filter((span) => span.name === name);

/** Sends 200 bytes for each line of its input, reports how many came back, and ends with a reset. */
const CLIENT = `
import socket, struct, sys, threading
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def listen():
    while heard := client.recv(1000):
        print(len(heard), flush=True)
threading.Thread(target=listen, daemon=True).start()
for _ in sys.stdin:
    client.sendall(b"q" * 200)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
`;

describe("contexts in an application's table", () => {
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
  it(`are found for each of ${requests} requests over TLS, at both ends, and for ${attempts} refused attempts`, async () => {
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
    await w.seen.until("both ends' contexts", () => w.traceparents("answer").length >= requests);
    // The client's requests, and the server's responses, which its library labels itself.
    assert.deepEqual(sorted(w.traceparents("sent")), sorted(said.asked));
    assert.deepEqual(sorted(w.traceparents("answer")), sorted(said.asked));
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
    // Each failure has one span with an error.
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
    // A rejection is remembered for one second.
    await w.seen.collect();
    assert.equal(w.seen.engine.correlation!.counts.refusedAnnouncements, 5);
    assert.equal(w.seen.engine.correlation!.counts.announced, 0);
    // A table is announced once, however often the announcement is repeated.
    const table = header();
    await w.seen.until("an announcement", () => {
      void send(port, table);
      void w.seen.collect();
      return w.seen.engine.correlation!.counts.announced > 0;
    });
    assert.equal(w.seen.engine.correlation!.counts.announced, 1);
  });

  /** What test/table/tables.py reports about itself, in its own network namespace. */
  async function tables(netns: Netns, ...words: readonly string[]): Promise<Record<string, string[]>> {
    const said = await netns.run("python3", "-B", `${root}test/table/tables.py`, ...words);
    return JSON.parse(said) as Record<string, string[]>;
  }

  for (const descriptors of [10, 4000]) {
    it(`are found for a process and its first thread at the same time, with ${descriptors} open descriptors`, async () => {
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

  it("are read from a slot as its counter wraps and its owner changes, and lost ones are counted", async () => {
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

  it("apply to the handshake if they belong to the first message, or to the first after TLS's own", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts(["tcplife"], {
      "filter.include.netns": String(statSync(netns.path).ino),
      "correlate.connectGap": "10s",
    });
    const { reported } = await tables(netns, "first");
    await w.seen.until("all ends", () => named(w, "tcp connection").length >= 2 * 8);
    assert.equal(reported!.length, 3);
    assert.deepEqual(named(w, "tcp connect").map(parentOf), reported);
  });

  it("of an accepted connection are those of its responses: a lost request and an idle connection's end are not reported in their trace", async () => {
    await using net = await pair();
    await using w = await watchContexts(["tcplife", "tcpdrop"], {
      "filter.include.netns": String(statSync(net.b.path).ino),
    });
    for (const isCutOff of [false, true]) {
      const server = net.b.spawn("python3", ["-B", `${root}test/table/tables.py`, "serve", addresses.b], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const said = createInterface({ input: server.stdout! })[Symbol.asyncIterator]();
      const port = Number((await said.next()).value);
      const client = net.a.spawn("python3", ["-c", CLIENT, addresses.b, String(port)], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      const heard = createInterface({ input: client.stdout! })[Symbol.asyncIterator]();
      const answers: string[] = [];
      const ask = async () => {
        client.stdin!.write("ask\n");
        answers.push((await said.next()).value as string);
      };
      await ask();
      assert.equal((await heard.next()).value, "300");
      const before = named(w, "tcp drop").length;
      const loss = isCutOff
        ? await net.a.rule("input", `tcp sport ${port} meta length > 100`, "drop")
        : await net.b.rule("input", `tcp dport ${port} meta length > 100`, "drop");
      const second = ask();
      await until("a loss", async () => (await loss.packets()) > 0);
      if (isCutOff) await second;
      else {
        await loss.remove();
        await second;
        assert.equal((await heard.next()).value, "300");
        // Until then the response looks aborted: its acknowledgement may be delayed (TCP_DELACK_MAX, 200 ms).
        await sleep(300);
      }
      client.stdin!.end();
      await Promise.all([once(client, "close"), once(server, "close")]);
      await w.seen.until("its end", () => named(w, "tcp connection").length >= (isCutOff ? 6 : 3));
      assert.equal(named(w, "tcp drop").length, before);
      assert.deepEqual(named(w, "tcp reset").map(parentOf), isCutOff ? [answers[1]] : []);
    }
    assert.deepEqual([w.traceparents("sent").length, w.traceparents("answer").length], [0, 4]);
  });

  it("have the same ids in two agents if an attempt fails, and different ids for each attempt of one socket", async () => {
    await using netns = await Netns.create();
    const settings = { "filter.include.netns": String(statSync(netns.path).ino) };
    await using one = await watchContexts(["tcplife", "tcpconnect"], settings);
    await using other = await watchContexts(["tcplife", "tcpconnect"], settings);
    const { refused } = await tables(netns, "attempts");
    const connects = (w: ContextWatch) => named(w, "tcp connect").filter(({ error }) => error);
    for (const w of [one, other]) await w.seen.until("attempts", () => connects(w).length >= 20);
    assert.deepEqual(connects(one).map(parentOf), refused);
    const ids = ({ seen }: ContextWatch) =>
      seen.spans.filter(({ error, attributes }) => error || !attributes["wirespan.context.source"]);
    const lines = (w: ContextWatch) =>
      ids(w).map(({ name, traceId, spanId, links }) => [name, traceId, spanId, ...links].join(" "));
    assert.deepEqual(lines(one), lines(other));
    assert.equal(new Set(ids(one).map(({ spanId }) => spanId)).size, ids(one).length);
  });

  it("are used for a retransmission that begins with bytes without a context", async () => {
    await using net = await pair();
    // Without tail loss probes: the first segment is retransmitted first, together with what follows it.
    await net.a.sysctl({ "net.ipv4.tcp_early_retrans": 0 });
    await using w = await watchContexts(["tcpretrans"], {
      "filter.include.netns": String(statSync(net.a.path).ino),
    });
    const sink =
      "import socket\ns = socket.create_server(('', 7600))\nprint('', flush=True)\nwhile s.accept()[0].recv(9): pass";
    const server = net.b.spawn("python3", ["-c", sink], { stdio: ["ignore", "pipe", "inherit"] });
    await once(server.stdout!, "data");
    const loss = await net.b.rule("input", "tcp dport 7600 meta length > 90", "drop");
    const child = net.a.spawn(
      "python3",
      ["-B", `${root}test/table/tables.py`, "joined", addresses.b, "7600"],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const context = (await lines.next()).value as string;
    await until("a retransmission", async () => (await loss.packets()) > 2);
    await loss.remove();
    const reported = () => named(w, "tcp retransmit");
    const events = () => w.seen.events.filter(({ name }) => name === "wirespan.tcp.retransmit");
    await w.seen.until("what was retransmitted", () => reported().length > 0);
    child.stdin!.end();
    await once(child, "close");
    server.kill();
    w.seen.engine.drain();
    assert.deepEqual(reported().map(parentOf), new Array(events().length).fill(context));
  });

  it("are not mistaken for others' if messages were not shown, and continue if the table names no other", async () => {
    await using netns = await Netns.create();
    const settings = { "self.exclude": "false", "filter.include.netns": String(statSync(netns.path).ino) };
    await using w = await watchContexts([], settings);
    const child = netns.spawn("python3", ["-B", `${root}test/table/tables.py`, "later"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "announced");
    for (const [line, shown] of [
      ["", true],
      ["", false],
      ["announce", true],
      ["same", false],
      ["announce same", true],
      ["", true],
      ["same", true],
      ["same", false],
    ] as const) {
      await w.seen.reload({ ...settings, "correlate.enabled": String(shown) });
      await w.seen.engine.correlated();
      child.stdin!.write(`${line}\n`);
      assert.equal((await lines.next()).value, "sent");
    }
    await w.seen.reload({ ...settings, "correlate.enabled": "true" });
    await w.seen.engine.correlated();
    child.stdin!.end();
    await once(child, "close");
    const { sent } = JSON.parse((await lines.next()).value as string) as { readonly sent: string[] };
    assert.deepEqual(
      w.contexts().map(({ traceparent, offset }) => [traceparent, offset]),
      [
        [sent[0], 0],
        [undefined, 1],
        [sent[2], 2],
        [sent[5], 5],
      ],
    );
    await w.seen.collect();
    // The connection's end reveals the last of them.
    assert.equal(w.seen.engine.correlation!.unread.unseen, 3);
  });

  it("are still read by programs that a reload starts", async () => {
    await using netns = await Netns.create();
    const settings = {
      "correlate.enabled": "true",
      "self.exclude": "false",
      "filter.include.netns": String(statSync(netns.path).ino),
    };
    await using w = await watchContexts([], settings);
    const child = netns.spawn("python3", ["-B", `${root}test/table/tables.py`, "later"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const send = async () => {
      child.stdin!.write("\n");
      assert.equal((await lines.next()).value, "sent");
      await w.seen.collect();
      return w.seen.engine.correlation!.counts.tablesSent;
    };
    assert.equal((await lines.next()).value, "announced");
    assert.equal(await send(), 1);
    await w.seen.reload({ ...settings, "correlate.table": "false" });
    assert.equal(await send(), 1);
    await w.seen.reload(settings);
    // Two, because what was written in between is new, too.
    assert.equal(await send(), 3);
    child.stdin!.end();
    await once(child, "close");
  });
});
