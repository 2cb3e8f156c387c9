// A plugin that runs without its main hook is reported everywhere; if only a detail is missing, it is mentioned once.
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DoctorReport } from "../../agent/doctor.ts";
import type { Status } from "../../agent/status.ts";
import { native } from "../../native/index.ts";
import { asUser, launch } from "../../test/support/launch.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { OtlpSink } from "../../test/support/otlp-sink.ts";
import { skip } from "../../test/support/skip.ts";
import { installedPlugins } from "./discover.ts";

/** An ordinary user on a kernel where functions cannot be traced: only root can observe accept(). */
const user = asUser("bpf", "perfmon");
const LACK =
  "tcpaccept is degraded: it does not observe accept() of a connection. " +
  "Lost: accepted connections, their acceptors, and their time in the queue. " +
  "Refused: tp/syscalls/sys_exit_accept4,syscalls/sys_exit_accept: EPERM: its number is in tracefs, " +
  "which is open to root only: run as root, or mount tracefs and add CAP_DAC_READ_SEARCH.";

describe("a degraded plugin", () => {
  before(function () {
    needsRoot(this);
    if (native.tryKind("fentry") === undefined) skip(this, "this kernel lets functions be watched");
  });

  it("does not occur for root with the default configuration", async () => {
    const { code, out } = await launch(["doctor", "--json"]);
    const { plugins } = JSON.parse(out) as DoctorReport;
    assert.deepEqual(
      plugins.map(({ name, state }) => [name, state]),
      ["connections", ...installedPlugins()].map((name) => [name, "running"]),
    );
    assert.equal(code, 0);
  });

  it("is tcpaccept for an ordinary user, in doctor, with a distinct exit code", async () => {
    const { code, out } = await launch(["doctor"], { launcher: user });
    assert.equal(code, 6, out);
    assert.match(out, /^ {2}tcpaccept: degraded\n {4}accept\(\) of a connection: NOT OBSERVED/m);
    assert.match(out, /can run, but some cannot serve their main purpose: tcpaccept, tcptracer; see above/);
    const json = JSON.parse((await launch(["doctor", "--json"], { launcher: user })).out) as DoctorReport;
    const degraded = json.plugins.filter(({ state }) => state === "degraded").map(({ name }) => name);
    assert.deepEqual(degraded, ["tcpaccept", "tcptracer"]);
    assert.equal(json.ok, true);
  });

  it("does not change the exit code if only a detail is missing", async () => {
    const { code, out } = await launch(["doctor", "--plugin", "solisten"], { launcher: user });
    assert.equal(code, 0, out);
    assert.match(out, /results of listen\(\): not observed, a detail/);
  });

  it("is reported on standard error before the first row of a trace", async () => {
    const { code, out, err } = await launch(["trace", "tcpaccept"], { launcher: user });
    assert.equal(code, 0, err);
    assert.match(out, /^PID /);
    assert.equal(err.split("\n")[0], `wirespan: ${LACK}`);
    const whole = await launch(["trace", "tcplife"], { launcher: user });
    assert.doesNotMatch(whole.err, /degraded/);
  });

  it("is in the log once, in the status and in the agent's own metrics", async () => {
    await using sink = await OtlpSink.start("grpc");
    const folder = await mkdtemp(join(tmpdir(), "wirespan-degraded-"));
    try {
      await chmod(folder, 0o755);
      const file = join(folder, "wirespan.yaml");
      await writeFile(
        file,
        `version: 1
metrics: { interval: 300ms }
control: { socket: "/tmp/wirespan-degraded-${process.pid}/control.sock" }
exporters: { sink: { type: otlp_grpc, endpoint: "${sink.endpoint}" } }\n`,
      );
      let status: Status | undefined;
      const { code, err } = await launch(["--config", file, "--plugin", "tcpaccept", "solisten"], {
        launcher: user,
        async ready() {
          const socket = `/tmp/wirespan-degraded-${process.pid}/control.sock`;
          status = JSON.parse((await launch(["status", "--json", "--socket", socket])).out) as Status;
        },
      });
      assert.equal(code, 0, err);
      const lines = err.split("\n").filter((line) => line.includes("tcpaccept") && line.includes("degraded"));
      const parsed = lines.map((line) => JSON.parse(line) as { level: string; msg: string });
      assert.deepEqual(
        parsed.map(({ level, msg }) => [level, msg]),
        [["warn", LACK]],
      );
      assert.match(
        err,
        /"level":"info".*"solisten does not observe results of listen\(\)\. Lost: .*\. Refused: fexit/,
      );
      assert.deepEqual(status?.plugins, [
        { name: "solisten", state: "running" },
        { name: "tcpaccept", state: "degraded", error: LACK },
      ]);
      const states = sink.metrics
        .filter(({ name }) => name === "wirespan.agent.plugin.state")
        .flatMap(({ sum }) => sum!.dataPoints.map(({ attributes }) => Object.values(attributes).join(" ")));
      assert.deepEqual([...new Set(states)].sort(), ["solisten running", "tcpaccept degraded"]);
    } finally {
      await rm(folder, { recursive: true });
      await rm(`/tmp/wirespan-degraded-${process.pid}`, { recursive: true, force: true });
    }
  });
});
