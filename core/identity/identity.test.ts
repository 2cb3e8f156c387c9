import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { CgroupPaths } from "./cgroup-paths.ts";
import { FakeExecutables, FakeProc, type FakeProcess } from "./fake-proc.ts";
import { Identity, type ObservedProcess } from "./identity.ts";
import { Proc, type ProcReader } from "./proc.ts";

const id = "3f2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f607";
const uid = "2c48913c-b29f-11e7-9350-020968147796";
const host = { "host.id": "machine", "host.name": "h" };
const docker = `0::/docker/${id}\n`;
const pod = `0::/kubepods/burstable/pod${uid}/${id}\n`;

const executables = new FakeExecutables();

type Seen = Partial<Omit<ObservedProcess, "exe">> & { readonly exe?: string };

function seen(pid: number, { exe = "prog", ...more }: Seen = {}): ObservedProcess {
  const process = { pid, startedAt: 10_000_000_000, comm: "prog", cgroupId: 7, workload: 0 };
  return { ...process, exe: executables.number(exe), ...more };
}

describe("identity", () => {
  let fake: FakeProc;
  let mount = "";
  let identity: Identity;
  let heard: string[];

  beforeEach(() => {
    fake = new FakeProc();
    mount = join(fake.root, "cgroup");
    mkdirSync(mount);
    heard = [];
    identity = made();
  });
  afterEach(() => fake[Symbol.dispose]());

  function made(options: { limit?: number; proc?: ProcReader } = {}): Identity {
    const { limit = 4096, proc = new Proc(fake.root) } = options;
    const cgroups = new CgroupPaths(mount, { pause: 0 });
    return new Identity(proc, host, { limit, cgroups, executables, debug: (message) => heard.push(message) });
  }

  function run(pid: number, more: Partial<FakeProcess> = {}): void {
    fake.set({ pid, exe: "/usr/bin/prog", ...more });
  }

  function cgroup(path: string): number {
    mkdirSync(join(mount, path), { recursive: true });
    return statSync(join(mount, path)).ino;
  }

  const name = (process: ObservedProcess) => identity.of(process).resource!.attributes["service.name"];

  describe("service.name", () => {
    const unit = "0::/system.slice/web.service\n";
    const both = { OTEL_SERVICE_NAME: "env", OTEL_RESOURCE_ATTRIBUTES: "service.name=attribute" };
    const ladder: readonly [string, Partial<FakeProcess>, Seen, string][] = [
      ["OTEL_SERVICE_NAME before all", { env: both, cgroup: unit }, {}, "env"],
      [
        "OTEL_RESOURCE_ATTRIBUTES next",
        { env: { OTEL_RESOURCE_ATTRIBUTES: "service.name=attribute" }, cgroup: unit },
        {},
        "attribute",
      ],
      ["an empty variable as none", { env: { ...both, OTEL_SERVICE_NAME: " " } }, {}, "attribute"],
      [
        "an empty attribute as none",
        { env: { OTEL_RESOURCE_ATTRIBUTES: "service.name=" }, cgroup: unit },
        {},
        "web",
      ],
      ["the systemd service next", { cgroup: unit }, {}, "web"],
      ["no session scope", { cgroup: "0::/user.slice/user-0.slice/session-1.scope\n" }, {}, "prog"],
      [
        "no runtime's service for its container",
        { cgroup: `0::/system.slice/docker-${id}.scope\n` },
        {},
        "prog",
      ],
      [
        "the executable in /proc next",
        { exe: "/opt/a/very-long-executable-name" },
        { exe: "very-long-executable-name", comm: "c" },
        "very-long-executable-name",
      ],
      ["the kernel's executable next", { exe: undefined }, { exe: "kernel-exe", comm: "c" }, "kernel-exe"],
      ["comm at last", { exe: undefined, comm: "kworker/u8:3-events" }, { exe: "", comm: "x" }, "kworker"],
      [
        "and nothing as OpenTelemetry writes it",
        { exe: undefined, comm: "" },
        { exe: "", comm: "" },
        "unknown_service",
      ],
    ];
    for (const [what, process, kernel, expected] of ladder) {
      it(`takes ${what}`, () => {
        fake.set({ pid: 5, exe: "/usr/bin/prog", ...process });
        assert.equal(name(seen(5, kernel)), expected);
      });
    }
  });

  describe("a Resource", () => {
    it("has the host, the container, the pod and what the process says of itself", () => {
      const env = {
        OTEL_SERVICE_NAME: "cart",
        OTEL_RESOURCE_ATTRIBUTES:
          "service.namespace=shop,service.version=2,k8s.container.name=main,process.pid=1,telemetry.sdk.name=x",
      };
      run(5, { cgroup: pod, env });
      assert.deepEqual(identity.of(seen(5)).resource!.attributes, {
        "container.id": id,
        "host.id": "machine",
        "host.name": "h",
        "k8s.container.name": "main",
        "k8s.pod.uid": uid,
        "service.name": "cart",
        "service.namespace": "shop",
        "service.version": "2",
      });
    });

    it("believes a process more than what was found", () => {
      run(5, { cgroup: pod, env: { OTEL_RESOURCE_ATTRIBUTES: "host.id=cloud,host.name=node1" } });
      const { attributes } = identity.of(seen(5)).resource!;
      assert.equal(attributes["host.id"], "cloud");
      assert.equal(attributes["host.name"], "node1");
    });

    it("is one object for all processes of a workload, in whatever order they say it", () => {
      run(5, { cgroup: docker, env: { OTEL_RESOURCE_ATTRIBUTES: "a=1,service.name=s" } });
      run(6, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "a=1" } });
      run(7, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s" } });
      assert.equal(identity.of(seen(5)), identity.of(seen(6)));
      assert.notEqual(identity.of(seen(5)), identity.of(seen(7)));
    });

    it("of a process in the host's network is still its pod's", () => {
      // The cgroup tells, not the address: hostNetwork and the host's own processes are told apart.
      run(5, { cgroup: pod });
      run(6, { cgroup: "0::/system.slice/sshd.service\n" });
      assert.equal(identity.of(seen(5)).resource!.attributes["k8s.pod.uid"], uid);
      assert.deepEqual(identity.of(seen(6)).resource!.attributes, { ...host, "service.name": "sshd" });
    });

    it("goes without malformed attributes, and the log hears why but not what", () => {
      run(5, { env: { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "a=1,secret" } });
      assert.deepEqual(identity.of(seen(5)).resource!.attributes, { ...host, "service.name": "s" });
      assert.deepEqual(heard, ['pid 5: OTEL_RESOURCE_ATTRIBUTES ignored: member 2 has no "="']);
    });
  });

  describe("in time", () => {
    it("keeps what was read at birth when the process is gone", () => {
      run(5, { env: { OTEL_SERVICE_NAME: "brief" } });
      identity.born(seen(5));
      fake.remove(5);
      assert.equal(name(seen(5)), "brief");
      identity.born(seen(5));
      assert.equal(name(seen(5)), "brief", "a second birth that finds nothing takes nothing");
    });

    it("ignores /proc where the pid belongs to another process by now", () => {
      run(5, { startTicks: 2000, env: { OTEL_SERVICE_NAME: "other" }, cgroup: docker });
      assert.deepEqual(identity.of(seen(5, { startedAt: 10_000_000_000 })).resource!.attributes, {
        ...host,
        "service.name": "prog",
      });
      assert.equal(name(seen(5, { startedAt: 20_005_000_000 })), "other");
      assert.equal(name(seen(5, { startedAt: 10_000_000_000 })), "prog", "each remembered beside the other");
      assert.equal(identity.counts.gone, 1);
    });

    it("knows the start to the tick that the kernel rounds down to", () => {
      run(5, { startTicks: 1000, env: { OTEL_SERVICE_NAME: "s" } });
      for (const [startedAt, expected] of [
        [10_000_000_000, "s"],
        [10_009_999_999, "s"],
        [10_030_000_000, "prog"],
        [9_970_000_000, "prog"],
      ] as const) {
        assert.equal(
          made().of(seen(5, { startedAt })).resource!.attributes["service.name"],
          expected,
          `${startedAt}`,
        );
      }
    });

    it("reads again after an exec, and keeps the image before it", () => {
      run(5, { exe: "/usr/bin/launcher", env: { OTEL_SERVICE_NAME: "launcher" } });
      identity.born(seen(5, { exe: "launcher" }));
      run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "server" } });
      identity.born(seen(5, { exe: "server" }));
      assert.equal(name(seen(5, { exe: "server" })), "server");
      assert.equal(name(seen(5, { exe: "launcher" })), "launcher");
      run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "again" } });
      identity.born(seen(5, { exe: "server" }));
      assert.equal(name(seen(5, { exe: "server" })), "again");
    });

    it("gives no image the environment of the next one", () => {
      run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "server" }, cgroup: docker });
      const { attributes } = identity.of(seen(5, { exe: "launcher" })).resource!;
      assert.equal(attributes["service.name"], "launcher");
      assert.equal(attributes["container.id"], id);
    });

    it("names a process that was gone at once by the kernel's facts and its cgroup", () => {
      const cgroupId = cgroup(`/kubepods/burstable/pod${uid}/${id}`);
      assert.deepEqual(identity.of(seen(5, { exe: "curl", cgroupId })).resource!.attributes, {
        ...host,
        "container.id": id,
        "k8s.pod.uid": uid,
        "service.name": "curl",
      });
      const inUnit = cgroup("/system.slice/web.service");
      assert.equal(name(seen(6, { exe: "curl", cgroupId: inUnit })), "web");
      assert.equal(name(seen(7, { exe: "", comm: "short", cgroupId: 1e15 })), "short");
    });

    it("learns a cgroup's path from one process for another when both are gone", () => {
      const cgroupId = cgroup(`/docker/${id}`);
      run(5, { cgroup: docker });
      identity.born(seen(5, { cgroupId }));
      rmSync(join(mount, "docker"), { recursive: true });
      assert.equal(identity.of(seen(6, { cgroupId })).resource!.attributes["container.id"], id);
    });

    it("remembers a bounded number of processes and images", () => {
      identity = made({ limit: 100 });
      for (let pid = 1; pid <= 1000; pid++) identity.of(seen(pid));
      assert.ok(identity.counts.size <= 100 && identity.counts.size >= 50, `${identity.counts.size}`);
      assert.equal(identity.counts.misses, 1000);
      run(5, { exe: "/bin/e99", env: { OTEL_SERVICE_NAME: "s" } });
      for (let i = 0; i < 100; i++) identity.of(seen(5, { exe: `e${i}` }));
      const before = identity.counts.misses;
      assert.equal(name(seen(5, { exe: "e99" })), "s");
      assert.equal(name(seen(5, { exe: "e97" })), "e97");
      assert.equal(identity.counts.misses, before);
      assert.equal(name(seen(5, { exe: "e0" })), "e0");
      assert.equal(identity.counts.misses, before + 1);
    });

    it("asks /proc once for a process", () => {
      const asked: number[] = [];
      const real = new Proc(fake.root);
      const process = (pid: number) => {
        asked.push(pid);
        return real.process(pid);
      };
      identity = made({ proc: { process } });
      run(5);
      identity.born(seen(5));
      for (let i = 0; i < 100; i++) identity.of(seen(5));
      identity.of(seen(6));
      identity.of(seen(6));
      assert.deepEqual(asked, [5, 6]);
      assert.deepEqual(identity.counts, { size: 2, misses: 2, refused: 0, gone: 1 });
    });
  });

  describe("of sums", () => {
    const image = (n: number) => 0x8000_0000 + n;
    const session = "0::/user.slice/user-0.slice/session-1.scope\n";
    let told: Map<number, number>;
    let lost: ObservedProcess[];

    beforeEach(() => {
      told = new Map();
      lost = [];
      identity.connect({
        tell: (from, workload) => void told.set(from, workload),
        drain: () => {},
        unheard: () => lost,
      });
    });

    it("is that of the process whose image they are of, and of its spans", () => {
      run(5, { cgroup: session, env: { OTEL_SERVICE_NAME: "one" } });
      run(6, { cgroup: session, env: { OTEL_SERVICE_NAME: "two" } });
      run(7, { cgroup: session, env: { OTEL_SERVICE_NAME: "one" } });
      for (const pid of [5, 6, 7]) identity.born(seen(pid, { workload: image(pid) }));
      for (const pid of [5, 6, 7]) {
        const workload = identity.workload(identity.workloadOf(image(pid)));
        assert.equal(workload.resource!.attributes["service.name"], pid === 6 ? "two" : "one");
        assert.equal(workload, identity.of(seen(pid, { workload: image(pid) })));
        assert.equal(workload, identity.of(seen(pid, { workload: told.get(image(pid))! })));
        assert.deepEqual(workload.series, { "process.executable.name": "prog" });
      }
      assert.equal(told.get(image(5)), told.get(image(7)));
    });

    it("never changes, whatever is found out later", () => {
      const process = seen(5, { workload: image(1) });
      const before = identity.of(process);
      run(5, { env: { OTEL_SERVICE_NAME: "late" } });
      identity.born(process);
      assert.equal(identity.of(process), before);
      assert.equal(identity.workloadOf(image(1)), before.number);
    });

    it("is found for births that had no room", () => {
      run(5, { env: { OTEL_SERVICE_NAME: "s" } });
      lost = [seen(5, { workload: image(1) })];
      assert.equal(
        identity.workload(identity.workloadOf(image(1))).resource!.attributes["service.name"],
        "s",
      );
    });

    it("is the rest's where nothing is known, and beyond the limit", () => {
      assert.deepEqual(identity.workload(identity.workloadOf(image(1))).series, {
        "otel.metric.overflow": true,
      });
      for (let pid = 10; pid < 5000; pid++)
        identity.born(seen(pid, { exe: `e${pid}`, workload: image(pid) }));
      assert.equal(identity.workload(identity.workloadOf(image(4999))).resource, undefined);
      const span = identity.of(seen(4999, { exe: "e4999", workload: image(4999) }));
      assert.equal(span.resource!.attributes["service.name"], "e4999", "spans are still its own");
    });

    it("is settled when the programs have known it for a collection", () => {
      identity.born(seen(5, { workload: image(1) }));
      assert.equal(identity.isSettled(image(1)), false);
      identity.collected();
      assert.equal(identity.isSettled(image(1)), true);
    });

    it("is a container's when one of its processes went unread, but not a session's", () => {
      run(5, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s" } });
      run(6, { cgroup: session, env: { OTEL_SERVICE_NAME: "s" } });
      const inDocker = cgroup(`/docker/${id}`);
      const inSession = cgroup("/user.slice/user-0.slice/session-1.scope");
      identity.born(seen(5, { cgroupId: inDocker }));
      identity.born(seen(6, { cgroupId: inSession }));
      assert.equal(name(seen(50, { cgroupId: inDocker })), "s");
      assert.equal(name(seen(60, { cgroupId: inSession })), "prog");
    });
  });
});
