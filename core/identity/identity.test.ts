import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { FakeExecutables, FakeProc, type FakeProcess } from "../../test/support/fake-proc.ts";
import { CgroupPaths } from "./cgroup-paths.ts";
import type { HostAttributes } from "./host.ts";
import { Identity, type ObservedProcess } from "./identity.ts";
import { Proc, type ProcReader } from "./proc.ts";
import { argumentPatterns, parseRule, type Rule } from "./rules.ts";

const id = "3f2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f607";
const uid = "2c48913c-b29f-11e7-9350-020968147796";
const host = { "host.id": "machine", "host.name": "h" };
const docker = `0::/docker/${id}\n`;
const pod = `0::/kubepods/burstable/pod${uid}/${id}\n`;

const executables = new FakeExecutables();

type Seen = Partial<Omit<ObservedProcess, "exe">> & { readonly exe?: string };

function seen(pid: number, { exe = "prog", ...more }: Seen = {}): ObservedProcess {
  const process = {
    pid,
    uid: 0,
    tid: pid,
    startedAt: 10_000_000_000,
    comm: "prog",
    cgroupId: 7,
    workload: 0,
  };
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

  interface Made {
    readonly limit?: number;
    readonly workloads?: number;
    readonly proc?: ProcReader;
    readonly rules?: readonly Rule[];
    readonly host?: HostAttributes;
  }

  function made(options: Made = {}): Identity {
    const {
      limit = 4096,
      workloads = 50,
      rules = [],
      proc = new Proc(fake.root, { patterns: argumentPatterns(rules) }),
    } = options;
    const cgroups = new CgroupPaths(mount, { pause: 0 });
    return new Identity(proc, options.host ?? host, {
      limit,
      workloads,
      rules,
      cgroups,
      executables,
      debug: (message) => heard.push(message),
    });
  }

  function run(pid: number, more: Partial<FakeProcess> = {}): void {
    fake.set({ pid, exe: "/usr/bin/prog", ...more });
  }

  function cgroup(path: string): number {
    mkdirSync(join(mount, path), { recursive: true });
    return statSync(join(mount, path)).ino;
  }

  const name = (process: ObservedProcess) => identity.of(process).resource!.attributes["service.name"];
  const instance = (process: ObservedProcess) =>
    identity.of(process).resource!.attributes["service.instance.id"] as string;
  /** Without the instance, which has its own tests. */
  function attributesOf(process: ObservedProcess) {
    const { "service.instance.id": _, ...others } = identity.of(process).resource!.attributes;
    return others;
  }

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
      assert.deepEqual(attributesOf(seen(5)), {
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

    it("has no facts from a process that it could have found, or that others are known by", () => {
      const lies = [
        ...["host.id=1", "host.name=spoofed", "container.id=evil", "k8s.pod.uid=evil", "k8s.node.name=evil"],
        ...["cloud.account.id=1", "os.type=dos", "process.pid=1", "telemetry.sdk.name=x", "wirespan.x=1"],
      ];
      const env = { OTEL_RESOURCE_ATTRIBUTES: `${lies.join()},team=blue,k8s.pod.name=p` };
      run(5, { cgroup: pod, env });
      run(6, { env });
      const { "container.id": _, ...inPod } = attributesOf(seen(5));
      assert.deepEqual(inPod, {
        ...host,
        "k8s.pod.uid": uid,
        "k8s.pod.name": "p",
        "service.name": "p",
        team: "blue",
      });
      assert.deepEqual(attributesOf(seen(6)), { ...host, "service.name": "prog", team: "blue" });
    });

    it("is named as Kubernetes' conventions name a pod's service", () => {
      const said = "k8s.container.name=main,k8s.pod.name=cart-7f-x,k8s.deployment.name=cart";
      run(5, { cgroup: pod, env: { OTEL_RESOURCE_ATTRIBUTES: said } });
      assert.equal(name(seen(5)), "cart");
    });

    it("has names of at most 256 bytes, without control characters", () => {
      run(5, {
        env: { OTEL_SERVICE_NAME: "é".repeat(10_000), OTEL_RESOURCE_ATTRIBUTES: `a=${"b".repeat(2000)}` },
      });
      assert.equal(name(seen(5)), "é".repeat(128));
      assert.equal(attributesOf(seen(5)).a, "b".repeat(256));
      run(6, { env: { OTEL_SERVICE_NAME: "a\u001b[31mb" } });
      assert.equal(name(seen(6)), "prog");
      assert.deepEqual(heard, [
        "pid 6: OTEL_SERVICE_NAME ignored: it has a control character or is not UTF-8",
      ]);
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
      assert.deepEqual(attributesOf(seen(6)), { ...host, "service.name": "sshd" });
    });

    it("goes without malformed attributes, and the log hears why but not what", () => {
      run(5, { env: { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "a=1,secret" } });
      assert.deepEqual(attributesOf(seen(5)), { ...host, "service.name": "s" });
      assert.deepEqual(heard, ['pid 5: OTEL_RESOURCE_ATTRIBUTES ignored: member 2 has no "="']);
    });
  });

  describe("service.instance.id", () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    const version = (v: number) => ({
      OTEL_SERVICE_NAME: "s",
      OTEL_RESOURCE_ATTRIBUTES: `service.version=${v}`,
    });
    const unit = (name: string) => `0::/system.slice/${name}.service\n`;

    it("is what the process says, else its container's id", () => {
      run(5, { cgroup: docker, env: { OTEL_RESOURCE_ATTRIBUTES: "service.instance.id=mine" } });
      run(6, { cgroup: docker, env: version(1) });
      assert.deepEqual([instance(seen(5)), instance(seen(6))], ["mine", id]);
    });

    it("else is made of host, cgroup and program, and is the same in the next agent", () => {
      run(5, { cgroup: unit("web") });
      run(6, { cgroup: unit("other"), env: { OTEL_SERVICE_NAME: "web" } });
      run(7, { cgroup: unit("web"), exe: "/usr/bin/more" });
      run(8, { cgroup: unit("web") });
      const ids = [5, 6, 7].map((pid) => instance(seen(pid, pid === 7 ? { exe: "more" } : {})));
      for (const one of ids) assert.match(one, uuid);
      assert.equal(new Set(ids).size, 3);
      assert.equal(instance(seen(8)), ids[0], "two processes of one program in one unit are one instance");
      identity = made();
      assert.deepEqual(
        [7, 6, 5].map((pid) => instance(seen(pid, pid === 7 ? { exe: "more" } : {}))),
        ids.toReversed(),
      );
      identity = made({ host: { ...host, "host.id": "elsewhere" } });
      assert.notEqual(instance(seen(5)), ids[0]);
    });

    it("is never that of two that differ, whatever they say of themselves", () => {
      const same = (v: number) => ({
        OTEL_RESOURCE_ATTRIBUTES: `service.name=s,service.instance.id=same,service.version=${v}`,
      });
      run(5, { cgroup: docker, env: same(1) });
      run(6, { cgroup: docker, env: same(2) });
      run(7, { cgroup: pod, env: same(1) });
      run(8, { cgroup: unit("s"), env: version(1) });
      run(9, { cgroup: unit("s"), env: version(2) });
      run(10, { cgroup: docker, env: version(1) });
      run(11, { cgroup: docker, env: version(2) });
      const all = [5, 6, 7, 8, 9, 10, 11].map((pid) => instance(seen(pid)));
      assert.equal(new Set(all).size, all.length, all.join(" "));
      assert.equal(all[0], "same");
      assert.equal(identity.of(seen(5)), identity.of(seen(5)));
    });
  });

  describe("names of an administrator", () => {
    const named = (pid: number, rule: string) => {
      identity = made({ rules: [parseRule(rule) as Rule] });
      const { attributes } = identity.of(seen(pid, { exe: "java", comm: "java" })).resource!;
      return [attributes["service.namespace"], attributes["service.name"]].filter(Boolean).join("/");
    };

    it("go before all else where everything holds", () => {
      const argv = ["/usr/bin/java", "-Dapp=billing", "-jar", "/srv/app.jar"];
      run(5, {
        exe: "/usr/bin/java",
        comm: "java",
        argv,
        cgroup: "0::/system.slice/x.slice/web.service\n",
        env: { OTEL_SERVICE_NAME: "env" },
      });
      for (const [rule, expected] of [
        ["executable=java -> shop/billing", "shop/billing"],
        ["executable=jav -> b", "env"],
        ["executable=j*a -> b", "b"],
        ["comm=java -> b", "b"],
        ["comm=node -> b", "env"],
        ["argument=-Dapp=billing -> b", "b"],
        ["argument=*billing -> b", "b"],
        ["argument=billing -> b", "env"],
        ["argument=/usr/bin/java -> b", "env"],
        ["cgroup=/system.slice/*.service -> b", "b"],
        ["cgroup=/system.slice -> b", "b"],
        ["cgroup=/system -> b", "env"],
        ["port=80 -> b", "env"],
        ["executable=java argument=*other -> b", "env"],
      ] as const) {
        assert.equal(named(5, rule), expected, rule);
      }
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
      assert.deepEqual(attributesOf(seen(5, { startedAt: 10_000_000_000 })), {
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
      assert.deepEqual(attributesOf(seen(5, { exe: "curl", cgroupId })), {
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
      identity = made({ proc: { process, ports: () => new Set() } });
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
        assign: (from, workload) => void told.set(from, workload),
        drain: () => {},
        missedBirths: () => lost,
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
      for (let pid = 10; pid < 100; pid++) identity.born(seen(pid, { exe: `e${pid}`, workload: image(pid) }));
      assert.equal(identity.workload(identity.workloadOf(image(99))).resource, undefined);
      const span = identity.of(seen(99, { exe: "e99", workload: image(99) }));
      assert.equal(span.resource!.attributes["service.name"], "e99", "spans are still its own");
    });

    it("is the rest's for a user, or a container, that has had its share", () => {
      identity = made({ workloads: 2048 });
      identity.connect({ assign: () => {}, drain: () => {}, missedBirths: () => lost });
      const none = { "otel.metric.overflow": true };
      const born = (pid: number, uid: number) =>
        identity.born(seen(pid, { uid, exe: `e${pid}`, workload: image(pid) }));
      const series = (pid: number) => identity.workload(identity.workloadOf(image(pid))).series;
      for (let pid = 1; pid <= 200; pid++) born(pid, 1000);
      assert.deepEqual([series(128), series(129)], [{ "process.executable.name": "e128" }, none]);
      born(201, 1001);
      assert.deepEqual(series(201), { "process.executable.name": "e201" }, "others have theirs");
      for (let pid = 301; pid <= 500; pid++) {
        run(pid, { cgroup: docker, exe: `/bin/e${pid}` });
        born(pid, 0);
      }
      assert.deepEqual([series(428), series(429)], [{ "process.executable.name": "e428" }, none]);
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
