import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { installedPlugins } from "../core/engine/discover.ts";
import { MAIN } from "../test/support/agent.ts";
import { asUser } from "../test/support/launch.ts";
import { needsRoot } from "../test/support/netns.ts";
import { type DoctorReport, renderReport } from "./doctor.ts";

const clone = fileURLToPath(new URL("..", import.meta.url));
const node = process.execPath.replace(clone, "./");

function wirespan(args: readonly string[], launcher: readonly string[] = []) {
  const [program, ...words] = [...launcher, node, MAIN, ...args];
  return spawnSync(program!, words, { cwd: clone, encoding: "utf8" });
}

const doctor = (args: readonly string[], launcher?: readonly string[]) =>
  wirespan(["doctor", ...args], launcher);

describe("wirespan doctor", () => {
  before(function () {
    needsRoot(this);
  });

  it("lists every hook in use, for each plugin", () => {
    const { stdout, status } = doctor(["--json"]);
    const report = JSON.parse(stdout) as DoctorReport;
    assert.equal(status, report.ok ? 0 : 1);
    const running = report.plugins.filter((p) => p.state === "running").map((p) => p.name);
    assert.deepEqual(running.sort(), ["connections", ...installedPlugins()].sort());
    for (const { name, hooks } of report.plugins) {
      assert.ok(
        hooks.some((hook) => hook.at),
        `${name} watches something`,
      );
      for (const hook of hooks)
        assert.ok(hook.at || (hook.without && hook.refused.length), `${name}: ${hook.thing}`);
    }
    // A carrier that does not work here has a reason; at least one works wherever the agent runs at all.
    for (const { traffic, works, why } of report.carriers!) assert.ok(works || why, traffic);
    assert.ok(report.carriers!.some(({ works }) => works));
    assert.equal(report.kinds.tp_btf, "ok");
    assert.ok(report.kinds.fentry);
  });

  it("reports what refuses fentry, if anything does", () => {
    const report = JSON.parse(doctor(["--json"]).stdout) as DoctorReport;
    const text = doctor([]).stdout;
    if (report.kinds.fentry === "ok") assert.match(text, /fentry +yes/);
    else assert.match(text, /fentry +EPERM: refused by kernel lockdown/);
  });

  it("names the processor, not the user, as the reason if no program can be attached to a function", () => {
    const report = JSON.parse(doctor(["--json", "--plugin", "tcplife"]).stdout) as DoctorReport;
    const text = renderReport({ ...report, kinds: { ...report.kinds, fentry: "ENOTSUPP" } });
    assert.match(text, /^ {2}fentry +ENOTSUPP: not available on this processor$/m);
  });

  it("finds that CAP_BPF and CAP_PERFMON are enough, and that neither is not", () => {
    const enough = doctor(["--json"], asUser("bpf", "perfmon"));
    const core = (JSON.parse(enough.stdout) as DoctorReport).plugins.find((p) => p.name === "connections");
    assert.equal(core?.state, "running", enough.stdout);
    const text = doctor([], asUser("bpf", "perfmon")).stdout;
    assert.match(text, /what their SDKs publish: no \(requires CAP_SYS_PTRACE\)$/m);
    assert.match(text, /by thread: only of processes of this user \(others require CAP_SYS_PTRACE\)$/m);
    assert.match(
      text,
      /not tp\/syscalls\/sys_exit_accept4,syscalls\/sys_exit_accept: EPERM: its number is in tracefs, which is open to root only: .*CAP_DAC_READ_SEARCH$/m,
    );
    assert.doesNotMatch(text, /CAP_BPF and CAP_PERFMON/, "they are there");
    const none = doctor([], asUser());
    assert.equal(none.status, 1);
    assert.match(
      none.stdout,
      /PERMISSION: connections: loading BPF requires root, or CAP_BPF and CAP_PERFMON/,
    );
  });

  it("is not needed to learn that a setting requires more privileges", () => {
    const args = ["--plugin", "tcplife", "--set", "self.bpfStats=true"];
    const { status, stderr } = wirespan(args, asUser("bpf", "perfmon"));
    assert.equal(status, 4, stderr);
    assert.match(stderr, /^wirespan: self\.bpfStats: .*CAP_SYS_ADMIN$/m);
  });

  it("writes a bundle that contains the report and no secrets", () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-bundle-"));
    try {
      const [config, file] = [join(folder, "wirespan.yaml"), join(folder, "bundle.json.gz")];
      const exporter = `{ type: otlp_grpc, endpoint: "http://localhost:1", headers: { api-key: s3cr3t-key } }`;
      writeFileSync(config, `version: 1\nids: { salt: s3cr3t-salt }\nexporters:\n  x: ${exporter}\n`);
      const { status, stderr } = doctor(["--config", config, "--bundle", file]);
      assert.equal(status, 0, stderr);
      const text = gunzipSync(readFileSync(file)).toString();
      assert.doesNotMatch(text, /s3cr3t/);
      const bundle = JSON.parse(text) as { doctor: DoctorReport; configuration: { path: string }[] };
      assert.equal(bundle.doctor.ok, true);
      assert.ok(bundle.configuration.some(({ path }) => path === "exporters.x.endpoint"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
