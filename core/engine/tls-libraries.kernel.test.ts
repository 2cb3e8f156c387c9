// Contexts in requests that applications hand to OpenSSL are found for clients that send within the call, and for no others.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, realpathSync, renameSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DoctorReport } from "../../agent/doctor.ts";
import { MAIN } from "../../test/support/agent.ts";
import { Certificates, hasOpenssl } from "../../test/support/certificates.ts";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { linesOf } from "../../test/support/http.ts";
import { asUser } from "../../test/support/launch.ts";
import { size } from "../../test/support/long.ts";
import { judge, type Range, tap, witness } from "../../test/support/loss.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, type Pair, pair, withoutOffload } from "../../test/support/topology.ts";

const folder = fileURLToPath(new URL("../../test/tls/", import.meta.url));

/** The OpenSSL library that a program uses. */
function libraryOf(program: string): string | undefined {
  const found = /=> (\/\S*libssl\.so\S*)/.exec(
    spawnSync("ldd", [program], { encoding: "utf8" }).stdout ?? "",
  );
  return found?.[1] && realpathSync(found[1]);
}

describe("contexts in requests that are handed to OpenSSL", () => {
  let scratch: string;

  before(async function () {
    needsRoot(this);
    if (!hasOpenssl()) skip(this, "no openssl on this machine");
    scratch = await mkdtemp(join(tmpdir(), "wirespan-tls-"));
    const certificates = new Certificates(scratch);
    certificates.authority("ca");
    certificates.leaf("server", "ca", `IP:${addresses.b}`);
  });

  after(async () => {
    if (scratch) await rm(scratch, { recursive: true });
  });

  interface Stage extends AsyncDisposable {
    readonly net: Pair;
    readonly w: ContextWatch;
    readonly port: number;
  }

  /** A server in one namespace, whose client is to be in the other. */
  async function stage(version: string, settings: Readonly<Record<string, string>> = {}): Promise<Stage> {
    await using made = new AsyncDisposableStack();
    const net = made.use(await pair());
    await withoutOffload(net);
    const words = [addresses.b, join(scratch, "server.key"), join(scratch, "server.pem"), version];
    const server = net.b.spawn("python3", ["-B", `${folder}server.py`, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    made.defer(() => void server.kill());
    const [port] = await once(createInterface({ input: server.stdout! }), "line");
    const w = made.use(
      await watchContexts(["tcpretrans"], {
        "filter.include.netns": [net.a, net.b].map((netns) => statSync(netns.path).ino).join(","),
        "correlate.tlsUprobe": "true",
        "correlate.rate": "100000",
        ...settings,
      }),
    );
    // The server's, and this process's own.
    const { tlsLibraries } = w.seen.engine.correlation!;
    await w.seen.until("watched libraries", () =>
      [/libssl/, /node/].every((name) => tlsLibraries!.paths.some((path) => name.test(path))),
    );
    const stack = made.move();
    return { net, w, port: Number(port), [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  const client = (way: string, port: number, count: number) => [
    "python3",
    ...["-B", `${folder}client.py`, way, addresses.b, String(port), join(scratch, "ca.pem"), String(count)],
  ];
  const ranges = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Range);
  const asked = (lines: readonly string[]) => ranges(lines).map(({ traceparent }) => traceparent);
  const sent = ({ w }: Stage) => w.contexts().filter(({ direction }) => direction === "sent");

  /** Counts all processes on this machine: other tests may have such requests, too. */
  async function sentLater({ w }: Stage): Promise<number> {
    await w.seen.collect();
    return w.seen.engine.correlation!.unread.sent_later;
  }

  const requests = size(60, 300);
  for (const version of ["TLSv1_2", "TLSv1_3"]) {
    it(`are those of each retransmission of ${requests} requests from Python's http.client over ${version}`, async () => {
      await using on = await stage(version);
      const { net, w, port } = on;
      const witnessed = await witness();
      const wire = await tap(net.a);
      await net.b.rule("input", `tcp dport ${port} meta length > 100 numgen inc mod 13 == 5`, "drop");
      let lines: readonly string[] = [];
      const counted = await net.a.moved(async () => {
        lines = await linesOf(net.a, client("kept", port, requests));
        await net.a.settled();
      });
      const again = await wire.stop();
      const shown = witnessed.stop();
      w.seen.engine.drain();
      await w.seen.collect();
      const spans = w.seen.spans.filter(({ name }) => name === "tcp retransmit");
      const account = judge(again, ranges(lines), spans, shown);
      assert.equal(again.length, counted["Tcp.RetransSegs"], "the tap has seen all");
      assert.deepEqual([account.wrong, account.unranged, account.unseen], [[], [], []]);
      assert.ok(account.exact >= requests / 10, `${account.exact} of ${again.length}`);
      const { counts, unread } = w.seen.engine.correlation!;
      assert.equal(account.missing.length, counts.suppressed + unread.replaced);
      assert.equal(new Set(spans.map((s) => s.attributes["wirespan.context.source"])).size, 1);
      assert.equal(spans[0]!.attributes["wirespan.context.source"], "uprobe");
      // Their offsets among the bytes that were sent, and those of requests without a context.
      const mine = sent(on);
      assert.deepEqual(
        mine.flatMap(({ traceparent, offset }) => (traceparent ? [[traceparent, offset]] : [])),
        ranges(lines).map(({ traceparent, from }) => [traceparent, from]),
      );
      assert.equal(mine.filter(({ traceparent }) => !traceparent).length, requests / 3);
    });
  }

  it("are found for a connection for each request from Python's urllib, also of its handshake", async () => {
    await using on = await stage("TLSv1_3", { "correlate.connectGap": "10s" });
    const lines = await linesOf(on.net.a, client("fresh", on.port, 9));
    assert.equal(lines.length, 6);
    assert.deepEqual(
      sent(on).flatMap(({ traceparent }) => traceparent ?? []),
      asked(lines),
    );
    const connects = () => on.w.seen.spans.filter(({ name }) => name === "tcp connect");
    await on.w.seen.until("handshakes", () => connects().length >= 6);
    assert.deepEqual(
      connects().map(({ traceId, parentSpanId }) => `00-${traceId}-${parentSpanId}-01`),
      asked(lines),
    );
  });

  it("are found for requests of curl, and not for the ones without", async function () {
    if (!libraryOf("/usr/bin/curl")) skip(this, "no curl with OpenSSL on this machine");
    await using on = await stage("TLSv1_3");
    const traceparents = Array.from({ length: 20 }, () => {
      const [trace, span] = [16, 8].map((bytes) => randomBytes(bytes).toString("hex"));
      return `00-${trace}-${span}-01`;
    });
    const url = `https://${addresses.b}:${on.port}/`;
    const each = traceparents.flatMap((traceparent) => [
      ...[
        "--next",
        "-s",
        "--http1.1",
        "--cacert",
        join(scratch, "ca.pem"),
        "-H",
        `traceparent: ${traceparent}`,
        url,
      ],
      ...["--next", "-s", "--http1.1", "--cacert", join(scratch, "ca.pem"), url],
    ]);
    await on.net.a.run("curl", ...each.slice(1));
    assert.deepEqual(
      sent(on).map(({ traceparent }) => traceparent),
      traceparents.flatMap((traceparent) => [traceparent, undefined]),
    );
  });

  /** So that sends of long requests wait. */
  const slow = (net: Pair) =>
    net.a.run("tc", ..."qdisc add dev wire0 root tbf rate 2mbit burst 4000 latency 1s".split(" "));
  const offsets = (on: Stage) =>
    sent(on).flatMap(({ traceparent, offset }) => (traceparent ? [[traceparent, offset]] : []));
  const offsetsOf = (lines: readonly string[]) =>
    ranges(lines).map(({ traceparent, from }) => [traceparent, from]);

  for (const way of ["restarted", "interrupted"]) {
    it(`are found once each if signals come while OpenSSL sends: calls are ${way}`, async () => {
      await using on = await stage("TLSv1_3");
      await slow(on.net);
      const lines = [...(await linesOf(on.net.a, client(way, on.port, 12)))];
      const { signals } = JSON.parse(lines.pop()!) as { readonly signals: number };
      assert.ok(signals >= 12, `${signals} signals`);
      assert.equal(lines.length, 8);
      assert.deepEqual(offsets(on), offsetsOf(lines));
    });
  }

  it("are each process's own if it forks while another thread is in OpenSSL", async () => {
    await using on = await stage("TLSv1_3");
    await slow(on.net);
    const lines = await linesOf(on.net.a, client("forked", on.port, 2));
    const own = lines.filter((line) => line.includes("traceparent"));
    assert.ok(lines.includes('{"alive": true}'), "the thread was sending");
    assert.equal(own.length, 6);
    assert.deepEqual(offsets(on).sort(), offsetsOf(own).sort());
  });

  it("are found in a library that was replaced, and in the one in its place", async function () {
    const library = libraryOf("/usr/bin/curl");
    if (!library) skip(this, "no curl with OpenSSL on this machine");
    await using on = await stage("TLSv1_3");
    const other = join(scratch, "replaced");
    mkdirSync(other);
    const copy = (name: string, to = name) => copyFileSync(join(dirname(library), name), join(other, to));
    for (const name of ["libssl.so.3", "libcrypto.so.3"]) copy(name);
    const { tlsLibraries } = on.w.seen.engine.correlation!;
    const watched = () => tlsLibraries!.paths.filter((path) => path.startsWith(other)).length;
    const ask = (traceparent: string, count: number) =>
      on.net.a.spawn(
        "curl",
        [
          ...["-s", "--http1.1", "--cacert", join(scratch, "ca.pem"), "-H", `traceparent: ${traceparent}`],
          ...["--rate", "2/s", `https://${addresses.b}:${on.port}/[1-${count}]`],
        ],
        { env: { ...process.env, LD_LIBRARY_PATH: other }, stdio: "ignore" },
      );
    const found = (traceparent: string) => sent(on).filter((c) => c.traceparent === traceparent).length;
    const [before, after] = ["ab", "ba"].map((byte) => `00-${byte.repeat(16)}-${byte.repeat(8)}-01`);
    const first = ask(before!, 30);
    await on.w.seen.until("the library", () => watched() === 1);
    copy("libssl.so.3", "new");
    renameSync(join(other, "new"), join(other, "libssl.so.3"));
    const second = ask(after!, 30);
    await on.w.seen.until("the one in its place", () => watched() === 2);
    const soFar = [found(before!), found(after!)];
    await Promise.all([first, second].map((child) => once(child, "exit")));
    const all = [found(before!), found(after!)];
    assert.ok(
      all.every((count, i) => count > soFar[i]! && count <= 30),
      `${soFar} and then ${all}`,
    );
  });

  it("are read by an ordinary user with the capabilities for it, and otherwise doctor says which one is missing", async () => {
    await using _on = await stage("TLSv1_3");
    const row = (...more: readonly string[]) => {
      const [program, ...words] = asUser("bpf", "perfmon", ...more);
      const asks = [process.execPath, MAIN, "doctor", "--json", "--set", "correlate.tlsUprobe=true"];
      const { stdout } = spawnSync(program!, [...words, ...asks], { encoding: "utf8" });
      const { carriers } = JSON.parse(stdout) as DoctorReport;
      return carriers!.find(({ carrier }) => carrier === "uprobe")!;
    };
    const { works, why } = row("sys_ptrace", "sys_admin");
    assert.ok(works && /libssl/.test(why ?? ""), why);
    const refused = row("sys_ptrace");
    assert.equal(refused.works, false);
    assert.match(refused.why ?? "", /^\/\S+: EACCES: uprobes require CAP_SYS_ADMIN$/);
    // Of its own processes, and thus of itself.
    assert.match(row().why ?? "", /require CAP_SYS_(ADMIN|PTRACE)$/);
    assert.match(row("sys_admin").why ?? "", /CAP_SYS_PTRACE$/);
  });

  it("are each found once if OpenSSL cannot send all of a request and is called again", async () => {
    await using on = await stage("TLSv1_2");
    const cut = await on.net.b.rule("input", `tcp dport ${on.port} meta length > 1000`, "drop");
    const [program, ...words] = client("unread", on.port, 60);
    const child = on.net.a.spawn(program!, words, { stdio: ["pipe", "pipe", "inherit"] });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line === "full") {
        await cut.remove();
        child.stdin!.end("\n");
      } else lines.push(line);
    }
    const { waits } = JSON.parse(lines.pop()!) as { readonly waits: number };
    assert.ok(waits > 0);
    assert.deepEqual(
      sent(on).flatMap(({ traceparent }) => traceparent ?? []),
      asked(lines),
    );
  });

  it("are not found, and counted, if what is encrypted is sent after the call: by Python into memory", async () => {
    await using on = await stage("TLSv1_3");
    const lines = await linesOf(on.net.a, client("later", on.port, 30));
    assert.equal(lines.length, 20);
    assert.deepEqual(sent(on), []);
    assert.ok((await sentLater(on)) >= 20);
  });

  it("are not found, and counted, if what is encrypted is sent after the call: by Node.js", async () => {
    await using on = await stage("TLSv1_3");
    const code = `const https = require("https");
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      let left = 20;
      (function ask() {
        const traceparent = "00-" + "ab".repeat(16) + "-" + "cd".repeat(8) + "-01";
        https.get({ host: "${addresses.b}", port: ${on.port}, agent, rejectUnauthorized: false, headers: { traceparent } },
          (answer) => answer.resume().on("end", () => (--left ? ask() : agent.destroy())));
      })();`;
    // Its executable is this process's, which is watched.
    await on.net.a.run(process.execPath, "-e", code);
    assert.deepEqual(sent(on), []);
    assert.ok((await sentLater(on)) >= 20);
  });

  it("are found in a library that only a process started later uses, in a mount namespace of its own", async function () {
    const library = libraryOf("/usr/bin/curl");
    if (!library) skip(this, "no curl with OpenSSL on this machine");
    await using on = await stage("TLSv1_3");
    const other = join(scratch, "libraries");
    mkdirSync(other);
    for (const name of ["libssl.so.3", "libcrypto.so.3"])
      copyFileSync(join(dirname(library), name), join(other, name));
    const traceparent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
    // There, a different file has the path of the host's library.
    const over = ["libssl.so.3", "libcrypto.so.3"]
      .map((name) => `mount --bind ${join(other, name)} ${realpathSync(join(dirname(library), name))}`)
      .join(" && ");
    const ask = `curl -s --http1.1 --cacert ${join(scratch, "ca.pem")} -H 'traceparent: ${traceparent}' --rate 1/s`;
    const url = `https://${addresses.b}:${on.port}/`;
    await on.net.a.run("unshare", "-m", "sh", "-c", `${over} && ${ask} '${url}[1-9]'`);
    const found = sent(on).filter((context) => context.traceparent === traceparent).length;
    assert.ok(found > 0, `${found} of 9`);
  });

  it("are found in new libraries when 64 are traced, instead of in those that no process maps any more", async function () {
    const library = libraryOf("/usr/bin/curl");
    if (!library) skip(this, "no curl with OpenSSL on this machine");
    await using on = await stage("TLSv1_3");
    const many = join(scratch, "many");
    mkdirSync(many);
    const { tlsLibraries } = on.w.seen.engine.correlation!;
    const traced = () => tlsLibraries!.paths.filter((path) => path.startsWith(many));
    /** A process that maps that many copies until its input ends. */
    const hold = async (from: number, to: number) => {
      const paths = Array.from({ length: to - from }, (_, i) => join(many, `libssl-${from + i}.so.3`));
      for (const path of paths) copyFileSync(library, path);
      const code = `import ctypes, sys
for path in sys.argv[1:]: ctypes.CDLL(path)
print(flush=True)
sys.stdin.read()`;
      const child = on.net.a.spawn("python3", ["-c", code, ...paths], { stdio: ["pipe", "pipe", "inherit"] });
      await once(child.stdout!, "data");
      return {
        paths,
        end: async () => {
          child.stdin!.end();
          await once(child, "exit");
        },
      };
    };
    const others = tlsLibraries!.paths.length;
    const first = await hold(0, 40);
    await on.w.seen.until("the first libraries", () => traced().length === 40);
    await first.end();
    const second = await hold(40, 80);
    await on.w.seen.until("the second ones", () => second.paths.every((path) => traced().includes(path)));
    assert.ok(tlsLibraries!.paths.length <= 64);
    assert.equal(traced().length, 64 - others, "only as many are released as there must be");
    await second.end();
  });

  it("are found only while a reloaded configuration says so", async () => {
    await using on = await stage("TLSv1_3");
    const settings = {
      "self.exclude": "false",
      "correlate.enabled": "true",
      "filter.include.netns": [on.net.a, on.net.b].map((netns) => statSync(netns.path).ino).join(","),
    };
    const all: string[] = [];
    for (const isOn of [true, false, true]) {
      await on.w.seen.reload({ ...settings, "correlate.tlsUprobe": String(isOn) });
      const { tlsLibraries } = (await on.w.seen.engine.correlated()).correlation!;
      assert.equal(tlsLibraries !== undefined, isOn);
      await on.w.seen.until(
        "libraries",
        () => !isOn || tlsLibraries!.paths.some((path) => /libssl/.test(path)),
      );
      const lines = asked(await linesOf(on.net.a, client("kept", on.port, 6)));
      if (isOn) all.push(...lines);
    }
    assert.equal(all.length, 8);
    assert.deepEqual(
      sent(on).flatMap(({ traceparent }) => traceparent ?? []),
      all,
    );
  });
});
