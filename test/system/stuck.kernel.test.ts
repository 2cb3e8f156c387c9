// Readers of the agent's output may stall, disconnect, or run out of space; nothing else waits for them.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AGENT_FLAGS, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { until } from "../support/until.ts";
import { one, run } from "../support/workload.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

/** The agent, with one of its outputs connected to a pipe from which only the test reads, on demand. */
class Stuck implements Disposable {
  readonly child: ChildProcess;
  readonly #fd: number;
  readonly ended: Promise<number | null>;
  said = "";

  constructor(pipe: string, output: 1 | 2, args: readonly string[]) {
    execFileSync("mkfifo", [pipe]);
    this.#fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const to = openSync(pipe, constants.O_WRONLY);
    const stdio = output === 1 ? ["ignore", to, "pipe"] : ["ignore", "ignore", to];
    this.child = spawn(process.execPath, [...AGENT_FLAGS, main, ...args], {
      stdio: stdio as ("ignore" | "pipe")[],
    });
    closeSync(to);
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.said += text;
    });
    this.ended = once(this.child, "close").then(([code]) => code as number | null);
  }

  /** The current content of the pipe. */
  read(): string {
    const bytes = Buffer.alloc(1024 ** 2);
    let length = 0;
    try {
      for (let count = -1; count !== 0; length += count)
        count = readSync(this.#fd, bytes, length, bytes.length - length, null);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
    return bytes.toString("utf8", 0, length);
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
    closeSync(this.#fd);
  }
}

const rss = (pid: number) =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

describe("a reader that stalls", () => {
  let folder: string;

  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-stuck-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("neither blocks the end of a trace nor makes it grow, and what it has missed is counted", async () => {
    await using netns = await Netns.create();
    using stuck = new Stuck(join(folder, "pipe"), 1, [
      "trace",
      "tcplife",
      "--json",
      "--set",
      `filter.include.netns=${inodeOf(netns)}`,
    ]);
    await until("it to be ready", () => stuck.said.includes('"ready":true'));
    const before = rss(stuck.child.pid!);
    const lines = await run(netns, "paced", { rate: 500, seconds: 6, limit: 60_000 });
    const { connections } = one(lines, "summary", "client");
    assert.ok(rss(stuck.child.pid!) - before < 100);
    stuck.child.kill("SIGTERM");
    assert.equal(await stuck.ended, 0, stuck.said);
    const shown = stuck.read().split("\n").length - 1;
    const missing = Number(
      /^wirespan: (\d+) lines are missing: the reader of standard output was too slow/m.exec(stuck.said)?.[1],
    );
    assert.ok(shown > 0 && missing > 0, stuck.said);
    // Both ends of each; a line that the pipe accepted only in part counts as missing.
    assert.equal(shown + missing, 2 * connections);
  });

  it("for a while and then continues misses nothing of a trace that ends, however much is unread", async () => {
    await using netns = await Netns.create();
    const count = 12_000;
    const series = 100;
    const pipe = join(folder, "pipe");
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(netns)}`;
    const words = ["-c", "-s", "--signals", "--set", only, "--set", `metrics.maxSeries=${series}`];
    using stuck = new Stuck(pipe, 1, ["trace", "tcpconnect", ...words]);
    await until("it to be ready", () => stuck.said.includes('"ready":true'));
    // So that it processes everything that the kernel has recorded at once, and at its end.
    stuck.child.kill("SIGSTOP");
    await run(netns, "attempt", { count });
    stuck.child.kill("SIGTERM");
    stuck.child.kill("SIGCONT");
    let shown = "";
    const reader = setInterval(() => {
      shown += stuck.read();
    }, 10);
    const code = await stuck.ended;
    clearInterval(reader);
    shown += stuck.read();
    assert.equal(code, 0, stuck.said);
    assert.doesNotMatch(stuck.said, /missing/);
    assert.equal(shown.trimEnd().split("\n").length, count + series);
  });

  it("while events fill its ring says in one line how many were lost, and where to make room", async () => {
    await using netns = await Netns.create();
    await using sink = await OtlpSink.start("http");
    await using agent = await startAgent(["--plugin", "tcplife"], {
      config: `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
control: { socket: "" }
ring: { core: 16KiB }
exporters: { sink: { type: otlp_http, endpoint: "${sink.endpoint}", signals: [traces] } }
`,
    });
    process.kill(agent.pid, "SIGSTOP");
    const count = 300;
    await run(netns, "clientCloses", { count });
    await netns.settled();
    process.kill(agent.pid, "SIGCONT");
    const { stderr } = await agent.stop();
    const said = stderr.flatMap(
      (line) => /"msg":"(\d+) spans of connections were lost; ([^"]*)/.exec(line) ?? [],
    );
    assert.equal(said.length, 3, stderr.join("\n"));
    assert.equal(said[2], "increase the ring: --set ring.core=128MiB");
    assert.equal(Number(said[1]) + sink.spans.length, 2 * count);
  });

  it("of the log does not block exporters, and is informed how many lines it has missed", async () => {
    await using good = await OtlpSink.start("http");
    await using bad = await OtlpSink.start("http");
    await using netns = await Netns.create();
    let refused = 0;
    bad.answer = () => ({ kind: "fail", code: 400, message: `no. ${++refused}: ${"x".repeat(900)}` });
    const file = join(folder, "wirespan.yaml");
    await writeFile(
      file,
      `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
control: { socket: "" }
metrics: { interval: 200ms }
log: { level: debug }
exporters:
  good: { type: otlp_http, endpoint: "${good.endpoint}", signals: [traces] }
  bad: { type: otlp_http, endpoint: "${bad.endpoint}" }\n`,
    );
    using stuck = new Stuck(join(folder, "pipe"), 2, [
      "--plugin",
      "tcplife",
      "tcptop",
      "softirqs",
      "--config",
      file,
    ]);
    // libbpf logs more at debug level than fits into a pipe.
    await until("the first metrics", () => refused > 0);
    const lines = await run(netns, "paced", { rate: 100, seconds: 3, limit: 60_000 });
    const { connections } = one(lines, "summary", "client");
    await until("all spans at the exporter that is well", () => good.spans.length >= 2 * connections);
    let text = stuck.read();
    assert.ok(text.length >= 60_000, `the pipe held ${text.length} bytes: it was not full`);
    await until("it to say how many lines are lost", () => {
      text += stuck.read();
      return /"dropped":\d+/.test(text);
    });
    for (const line of text.trim().split("\n")) JSON.parse(line);
    // The output is no longer read.
    stuck.child.kill("SIGTERM");
    assert.equal(await stuck.ended, 7, "ended in order, with the losses of the other exporter");
  });
});

describe("a full disk under standard error", () => {
  it("does not end the agent", async function () {
    needsRoot(this);
    await using sink = await OtlpSink.start("http");
    const full = openSync("/dev/full", "w");
    const words = ["--plugin", "softirqs", "--set", "control.socket=", "--set", "metrics.interval=200ms"];
    const child = spawn(process.execPath, [...AGENT_FLAGS, main, ...words], {
      stdio: ["ignore", "ignore", full],
      env: {
        ...process.env,
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      },
    });
    closeSync(full);
    try {
      await until("metrics", () => sink.received.length > 2);
      child.kill("SIGTERM");
      const [code] = await once(child, "close");
      assert.equal(code, 0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
