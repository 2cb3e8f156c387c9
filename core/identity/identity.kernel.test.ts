import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FakeExecutables } from "../../test/support/fake-proc.ts";
import type { Resource } from "../plugin/signals.ts";
import { CgroupPaths, cgroup2Mount } from "./cgroup-paths.ts";
import { hostAttributes } from "./host.ts";
import { Identity, type ObservedProcess } from "./identity.ts";
import { Proc } from "./proc.ts";

const id = "3f2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f607";
const uid = "2c48913c-b29f-11e7-9350-020968147796";
const proc = new Proc();
const executables = new FakeExecutables();
const nameOf = ({ exe }: ObservedProcess): string => executables.name(exe);

/** A process that does nothing. */
async function idle(env: NodeJS.ProcessEnv = {}): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn("/bin/sleep", ["600"], { env, stdio: "ignore" });
  await once(child, "spawn");
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** As the kernel's programs would report it. */
function observed(pid: number, cgroupId = 1): ObservedProcess {
  const facts = proc.process(pid);
  assert.ok(facts !== undefined);
  const exe = executables.number(basename(facts.exe ?? ""));
  return {
    pid,
    uid: 0,
    tid: pid,
    startedAt: facts.startTicks * 10_000_000 + 1_234_567,
    comm: facts.comm,
    exe,
    cgroupId,
    workload: 0,
  };
}

function withoutInstance({ attributes }: Resource) {
  const { "service.instance.id": _, ...others } = attributes;
  return others;
}

describe("identity of real processes", () => {
  const children: ChildProcess[] = [];
  const host = hostAttributes();

  async function start(env?: NodeJS.ProcessEnv): Promise<number> {
    const child = await idle(env);
    children.push(child);
    return child.pid;
  }

  afterEach(async () => {
    await Promise.all(children.splice(0).map(end));
  });

  it("reads this process correctly", () => {
    const facts = proc.process(process.pid);
    assert.equal(facts?.exe, process.execPath);
    assert.equal(facts?.pid, process.pid);
    const uptimeTicks = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 100;
    const age = uptimeTicks - (facts?.startTicks ?? 0);
    assert.ok(
      Math.abs(age - process.uptime() * 100) < 200,
      `${age} ticks old, ${process.uptime()} s by Node`,
    );
  });

  it("takes the two variables from a real environment, and no other", async () => {
    const env = {
      SECRET: "s",
      OTEL_SERVICE_NAME: "shop",
      OTEL_RESOURCE_ATTRIBUTES: "service.version=2,team=caf%C3%A9",
    };
    const pid = await start(env);
    const { attributes } = new Identity(proc, host, { executables }).of(observed(pid)).resource!;
    assert.equal(attributes["service.name"], "shop");
    assert.equal(attributes["service.version"], "2");
    assert.equal(attributes.team, "café");
    assert.ok(!JSON.stringify(proc.process(pid)).includes("SECRET"));
  });

  it("gives processes of one service the same Resource, and others another", async () => {
    const identity = new Identity(proc, host, { executables });
    const [a, b, c] = [
      await start({ OTEL_SERVICE_NAME: "x" }),
      await start({ OTEL_SERVICE_NAME: "x" }),
      await start(),
    ];
    assert.equal(identity.of(observed(a)), identity.of(observed(b)));
    assert.notEqual(identity.of(observed(a)), identity.of(observed(c)));
  });

  it("keeps the identity of a process that has ended, and does not give it to the next one with that pid", async () => {
    const child = await idle({ OTEL_SERVICE_NAME: "brief" });
    const process = observed(child.pid);
    const identity = new Identity(proc, host, { executables });
    identity.born(process);
    await end(child);
    assert.equal(proc.process(child.pid), undefined);
    assert.equal(identity.of(process).resource!.attributes["service.name"], "brief");
    const later = { ...process, startedAt: process.startedAt + 1e9 };
    assert.equal(identity.of(later).resource!.attributes["service.name"], nameOf(process));
  });

  it("ignores a real process that started at another time than the kernel reports", async () => {
    const process = observed(await start({ OTEL_SERVICE_NAME: "someone-else" }));
    const identity = new Identity(proc, host, { executables });
    const before = identity.of({ ...process, startedAt: process.startedAt - 50_000_000 }).resource!;
    assert.equal(before.attributes["service.name"], nameOf(process));
    assert.deepEqual(identity.counts, { size: 1, misses: 1, refused: 0, gone: 1 });
  });

  it("reads again after a real exec", async () => {
    const script = "read line; OTEL_SERVICE_NAME=second exec /bin/sleep 600";
    const child = spawn("/bin/sh", ["-c", script], {
      env: { OTEL_SERVICE_NAME: "first" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    children.push(child);
    await once(child, "spawn");
    const identity = new Identity(proc, host, { executables });
    const first = observed(child.pid!);
    identity.born(first);
    child.stdin.end("\n");
    while (observed(child.pid!).exe === first.exe) await new Promise((resolve) => setTimeout(resolve, 5));
    const second = observed(child.pid!);
    assert.equal(second.startedAt, first.startedAt);
    identity.born(second);
    assert.equal(identity.of(second).resource!.attributes["service.name"], "second");
    assert.equal(identity.of(first).resource!.attributes["service.name"], "first");
  });

  it("reports whose environment another user may not read", async () => {
    const pid = await start({ OTEL_SERVICE_NAME: "roots" });
    const code = `
      import { Identity } from ${JSON.stringify(join(import.meta.dirname, "identity.ts"))};
      import { Proc } from ${JSON.stringify(join(import.meta.dirname, "proc.ts"))};
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      const identity = new Identity(new Proc(), {}, { executables: { name: () => ${JSON.stringify(nameOf(observed(pid)))} } });
      const { attributes } = identity.of(${JSON.stringify(observed(pid))}).resource;
      console.log(JSON.stringify({ facts: new Proc().process(${pid}), attributes, counts: identity.counts }));`;
    const answer = JSON.parse(
      execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }),
    );
    assert.equal(answer.facts.refused, true);
    assert.equal(answer.facts.comm, observed(pid).comm);
    assert.equal(answer.facts.environment, undefined);
    assert.equal(answer.attributes["service.name"], nameOf(observed(pid)));
    assert.deepEqual(answer.counts, { size: 1, misses: 1, refused: 1, gone: 0 });
  });

  describe("in a nested cgroup", () => {
    let mount = "";
    let mounted = false;
    let top = "";

    before(() => {
      const found = cgroup2Mount();
      mounted = found === undefined;
      mount = found ?? mkdtempSync(join(tmpdir(), "wirespan-cgroup2-"));
      if (mounted) execFileSync("mount", ["-t", "cgroup2", "none", mount]);
      top = `/wirespan-test-${process.pid}`;
      mkdirSync(join(mount, top));
    });

    after(() => {
      rmdirSync(join(mount, top));
      if (mounted) {
        execFileSync("umount", [mount]);
        rmdirSync(mount);
      }
    });

    /** Creates a cgroup below the test's own, moves a process into it, and removes both afterwards. */
    async function inside(
      path: string,
      check: (pid: number, cgroupId: number) => Promise<void> | void,
    ): Promise<void> {
      const full = join(mount, top, path);
      mkdirSync(full, { recursive: true });
      try {
        const pid = await start({ OTEL_SERVICE_NAME: "inside" });
        writeFileSync(join(full, "cgroup.procs"), `${pid}`);
        await check(pid, statSync(full).ino);
      } finally {
        await Promise.all(children.splice(0).map(end));
        let folder = full;
        while (folder !== join(mount, top)) {
          rmdirSync(folder);
          folder = join(folder, "..");
        }
      }
    }

    const systemd = `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice/cri-containerd-${id}.scope`;
    const table = [
      [`docker/${id}`, { "container.id": id }],
      [systemd, { "container.id": id, "k8s.pod.uid": uid }],
      [`kubepods/besteffort/pod${uid}/${id}`, { "container.id": id, "k8s.pod.uid": uid }],
      [`machine.slice/libpod-${id}.scope/container`, { "container.id": id }],
    ] as const;
    for (const [path, expected] of table) {
      it(`finds ${Object.keys(expected).join(" and ")} in ${path}`, async () => {
        await inside(path, async (pid, cgroupId) => {
          const process = observed(pid, cgroupId);
          const cgroups = new CgroupPaths(mount);
          const alive = new Identity(proc, host, { executables, cgroups }).of(process).resource!;
          assert.deepEqual(withoutInstance(alive), { ...host, ...expected, "service.name": "inside" });
          await Promise.all(children.splice(0).map(end));
          const gone = new Identity(proc, host, { executables, cgroups: new CgroupPaths(mount) }).of(process)
            .resource!;
          assert.deepEqual(withoutInstance(gone), { ...host, ...expected, "service.name": nameOf(process) });
        });
      });
    }

    it("names a removed cgroup's processes from what was learned while it existed", async () => {
      const identity = new Identity(proc, host, { executables, cgroups: new CgroupPaths(mount) });
      let process: ObservedProcess | undefined;
      await inside(`docker/${id}`, (pid, cgroupId) => {
        process = observed(pid, cgroupId);
        identity.born(process);
      });
      assert.ok(process !== undefined && !existsSync(join(mount, top, "docker")));
      const unseen = { ...process, exe: executables.number("curl"), startedAt: process.startedAt + 1e9 };
      assert.equal(identity.of(unseen).resource!.attributes["container.id"], id);
    });

    it("takes systemd's service from a service's cgroup", async () => {
      await inside("system.slice/shop\\x2dfront@1.service", (pid, cgroupId) => {
        const process = observed(pid, cgroupId);
        const named = new Identity(proc, host, { executables, cgroups: new CgroupPaths(mount) });
        const gone = { ...process, startedAt: process.startedAt + 1e9, cgroupId };
        assert.equal(named.of(gone).resource!.attributes["service.name"], "shop-front@1");
      });
    });
  });
});
