import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { docker, host, IdentityRig, id, seen, uid } from "../../test/support/identity-rig.ts";
import type { ObservedProcess } from "./identity.ts";
import { Proc } from "./proc.ts";

describe("identity", () => {
  let rig: IdentityRig;

  beforeEach(() => {
    rig = new IdentityRig();
  });
  afterEach(() => rig[Symbol.dispose]());

  describe("over time", () => {
    it("keeps what was read at birth when the process is gone", () => {
      rig.run(5, { env: { OTEL_SERVICE_NAME: "brief" } });
      rig.identity.born(seen(5));
      rig.fake.remove(5);
      assert.equal(rig.name(seen(5)), "brief");
      rig.identity.born(seen(5));
      assert.equal(rig.name(seen(5)), "brief", "a second birth that finds nothing takes nothing");
    });

    it("ignores /proc if the pid belongs to another process by now", () => {
      rig.run(5, { startTicks: 2000, env: { OTEL_SERVICE_NAME: "other" }, cgroup: docker });
      assert.deepEqual(rig.attributesOf(seen(5, { startedAt: 10_000_000_000 })), {
        ...host,
        "service.name": "prog",
      });
      assert.equal(rig.name(seen(5, { startedAt: 20_005_000_000 })), "other");
      assert.equal(rig.name(seen(5, { startedAt: 10_000_000_000 })), "prog", "both remembered");
      assert.equal(rig.identity.counts.gone, 1);
    });

    it("knows the start as the tick that the kernel rounds down to", () => {
      rig.run(5, { startTicks: 1000, env: { OTEL_SERVICE_NAME: "s" } });
      for (const [startedAt, expected] of [
        [10_000_000_000, "s"],
        [10_009_999_999, "s"],
        [10_030_000_000, "prog"],
        [9_970_000_000, "prog"],
      ] as const) {
        assert.equal(
          rig.made().of(seen(5, { startedAt })).resource!.attributes["service.name"],
          expected,
          `${startedAt}`,
        );
      }
    });

    it("reads again after an exec, and keeps the image before it", () => {
      rig.run(5, { exe: "/usr/bin/launcher", env: { OTEL_SERVICE_NAME: "launcher" } });
      rig.identity.born(seen(5, { exe: "launcher" }));
      rig.run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "server" } });
      rig.identity.born(seen(5, { exe: "server" }));
      assert.equal(rig.name(seen(5, { exe: "server" })), "server");
      assert.equal(rig.name(seen(5, { exe: "launcher" })), "launcher");
      rig.run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "again" } });
      rig.identity.born(seen(5, { exe: "server" }));
      assert.equal(rig.name(seen(5, { exe: "server" })), "again");
    });

    it("recognizes a program that runs from memory, whose name may contain slashes", () => {
      rig.run(5, { exe: "/memfd:a/b (deleted)", env: { OTEL_SERVICE_NAME: "cart" } });
      assert.equal(rig.name(seen(5, { exe: "memfd:a/b" })), "cart");
    });

    it("never gives an image the environment of the next one", () => {
      rig.run(5, { exe: "/usr/bin/server", env: { OTEL_SERVICE_NAME: "server" }, cgroup: docker });
      const { attributes } = rig.identity.of(seen(5, { exe: "launcher" })).resource!;
      assert.equal(attributes["service.name"], "launcher");
      assert.equal(attributes["container.id"], id);
    });

    it("names a process that ended immediately from the kernel's facts and its cgroup", () => {
      const cgroupId = rig.cgroup(`/kubepods/burstable/pod${uid}/${id}`);
      assert.deepEqual(rig.attributesOf(seen(5, { exe: "curl", cgroupId })), {
        ...host,
        "container.id": id,
        "k8s.pod.uid": uid,
        "service.name": "curl",
      });
      const inUnit = rig.cgroup("/system.slice/web.service");
      assert.equal(rig.name(seen(6, { exe: "curl", cgroupId: inUnit })), "web");
      assert.equal(rig.name(seen(7, { exe: "", comm: "short", cgroupId: 1e15 })), "short");
    });

    it("learns a cgroup's path from one process for another after both are gone", () => {
      const cgroupId = rig.cgroup(`/docker/${id}`);
      rig.run(5, { cgroup: docker });
      rig.identity.born(seen(5, { cgroupId }));
      rmSync(join(rig.mount, "docker"), { recursive: true });
      assert.equal(rig.identity.of(seen(6, { cgroupId })).resource!.attributes["container.id"], id);
    });

    it("remembers a bounded number of processes and images", () => {
      rig.identity = rig.made({ limit: 100 });
      for (let pid = 1; pid <= 1000; pid++) rig.identity.of(seen(pid));
      assert.ok(
        rig.identity.counts.size <= 100 && rig.identity.counts.size >= 50,
        `${rig.identity.counts.size}`,
      );
      assert.equal(rig.identity.counts.misses, 1000);
      rig.run(5, { exe: "/bin/e99", env: { OTEL_SERVICE_NAME: "s" } });
      for (let i = 0; i < 100; i++) rig.identity.of(seen(5, { exe: `e${i}` }));
      const before = rig.identity.counts.misses;
      assert.equal(rig.name(seen(5, { exe: "e99" })), "s");
      assert.equal(rig.name(seen(5, { exe: "e97" })), "e97");
      assert.equal(rig.identity.counts.misses, before);
      assert.equal(rig.name(seen(5, { exe: "e0" })), "e0");
      assert.equal(rig.identity.counts.misses, before + 1);
    });

    it("reads /proc once for each process", () => {
      const asked: number[] = [];
      const real = new Proc(rig.fake.root);
      const process = (pid: number) => {
        asked.push(pid);
        return real.process(pid);
      };
      rig.identity = rig.made({ proc: { process, ports: () => new Set() } });
      rig.run(5);
      rig.identity.born(seen(5));
      for (let i = 0; i < 100; i++) rig.identity.of(seen(5));
      rig.identity.of(seen(6));
      rig.identity.of(seen(6));
      assert.deepEqual(asked, [5, 6]);
      assert.deepEqual(rig.identity.counts, { size: 2, misses: 2, refused: 0, gone: 1 });
    });
  });

  describe("of sums", () => {
    const image = (n: number) => 0x8000_0000 + n;
    const session = "0::/user.slice/user-0.slice/session-1.scope\n";
    let reported: Map<number, number>;
    let lost: ObservedProcess[];

    beforeEach(() => {
      reported = new Map();
      lost = [];
      rig.identity.connect({
        assign: (from, workload) => void reported.set(from, workload),
        drain: () => {},
        missedBirths: () => lost,
        origin: () => undefined,
        decided: () => {},
      });
    });

    it("is that of the process whose image they belong to, and of its spans", () => {
      rig.run(5, { cgroup: session, env: { OTEL_SERVICE_NAME: "one" } });
      rig.run(6, { cgroup: session, env: { OTEL_SERVICE_NAME: "two" } });
      rig.run(7, { cgroup: session, env: { OTEL_SERVICE_NAME: "one" } });
      for (const pid of [5, 6, 7]) rig.identity.born(seen(pid, { workload: image(pid) }));
      for (const pid of [5, 6, 7]) {
        const workload = rig.identity.workload(rig.identity.workloadOf(image(pid))!);
        assert.equal(workload.resource!.attributes["service.name"], pid === 6 ? "two" : "one");
        assert.equal(workload, rig.identity.of(seen(pid, { workload: image(pid) })));
        assert.equal(workload, rig.identity.of(seen(pid, { workload: reported.get(image(pid))! })));
        assert.deepEqual(workload.series, { "process.executable.name": "prog" });
      }
      assert.equal(reported.get(image(5)), reported.get(image(7)));
    });

    it("never changes, whatever is learned later", () => {
      const process = seen(5, { workload: image(1) });
      const before = rig.identity.of(process);
      rig.run(5, { env: { OTEL_SERVICE_NAME: "late" } });
      rig.identity.born(process);
      assert.equal(rig.identity.of(process), before);
      assert.equal(rig.identity.workloadOf(image(1)), before.number);
    });

    it("is found for process starts that did not fit", () => {
      rig.run(5, { env: { OTEL_SERVICE_NAME: "s" } });
      lost = [seen(5, { workload: image(1) })];
      assert.equal(
        rig.identity.workload(rig.identity.workloadOf(image(1))!).resource!.attributes["service.name"],
        "s",
      );
    });

    it("is that of the remainder if nothing is known, and beyond the limit", () => {
      assert.deepEqual(rig.identity.workload(rig.identity.workloadOf(image(1))!).series, {
        "otel.metric.overflow": true,
      });
      for (let pid = 10; pid < 100; pid++)
        rig.identity.born(seen(pid, { exe: `e${pid}`, workload: image(pid) }));
      assert.equal(rig.identity.workload(rig.identity.workloadOf(image(99))!).resource, undefined);
      const span = rig.identity.of(seen(99, { exe: "e99", workload: image(99) }));
      assert.equal(span.resource!.attributes["service.name"], "e99", "spans are still its own");
    });

    it("is that of the remainder for a user or a container that has used its share", () => {
      rig.identity = rig.made({ workloads: 2048 });
      rig.identity.connect({
        assign: () => {},
        drain: () => {},
        missedBirths: () => lost,
        origin: () => undefined,
        decided: () => {},
      });
      const none = { "otel.metric.overflow": true };
      const born = (pid: number, uid: number) =>
        rig.identity.born(seen(pid, { uid, exe: `e${pid}`, workload: image(pid) }));
      const series = (pid: number) => rig.identity.workload(rig.identity.workloadOf(image(pid))!).series;
      for (let pid = 1; pid <= 200; pid++) born(pid, 1000);
      assert.deepEqual([series(128), series(129)], [{ "process.executable.name": "e128" }, none]);
      born(201, 1001);
      assert.deepEqual(series(201), { "process.executable.name": "e201" }, "others have theirs");
      for (let pid = 301; pid <= 500; pid++) {
        rig.run(pid, { cgroup: docker, exe: `/bin/e${pid}` });
        born(pid, 0);
      }
      assert.deepEqual([series(428), series(429)], [{ "process.executable.name": "e428" }, none]);
    });

    describe("in a container whose names are still to come", () => {
      let named: Record<string, string>;
      let awaited: boolean;
      let changed: () => void;
      let decided: number;
      const nameOf = (process: ObservedProcess) =>
        rig.identity.of(process).resource!.attributes["container.name"];

      beforeEach(() => {
        named = {};
        awaited = true;
        decided = 0;
        const names = {
          of: () => named,
          awaits: () => awaited,
          listen: (call: () => void) => (changed = call),
        };
        rig.identity = rig.made({ names });
        rig.identity.connect({
          assign: (from, workload) => void reported.set(from, workload),
          drain: () => {},
          missedBirths: () => lost,
          origin: () => undefined,
          decided: () => decided++,
        });
        rig.run(5, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s" } });
      });

      it("is not decided before, whatever is asked, and then with what was read at birth", () => {
        const process = seen(5, { workload: image(1) });
        rig.identity.born(process);
        rig.fake.remove(5);
        assert.equal(rig.identity.waits(process), true);
        assert.deepEqual([rig.identity.workloadOf(image(1)), reported.size], [undefined, 0]);
        changed();
        assert.deepEqual([rig.identity.waits(process), decided], [true, 0], "they are still to come");
        named = { "container.name": "web" };
        awaited = false;
        changed();
        assert.deepEqual([rig.identity.waits(process), decided], [false, 1]);
        assert.equal(nameOf(process), "web");
        assert.equal(rig.name(process), "s");
        const number = rig.identity.workloadOf(image(1))!;
        assert.equal(reported.get(image(1)), number);
        assert.equal(rig.identity.workload(number), rig.identity.of(process));
      });

      it("waits although its birth was not reported yet", () => {
        assert.equal(rig.identity.waits(seen(5, { workload: image(1) })), true);
        assert.equal(rig.identity.waits(seen(5, { workload: 0 })), false, "without an image it can't");
      });

      it("is final as soon as it is needed", () => {
        const process = seen(5, { workload: image(1) });
        rig.identity.born(process);
        assert.equal(nameOf(process), undefined);
        named = { "container.name": "web" };
        awaited = false;
        changed();
        assert.equal(nameOf(process), undefined);
        assert.equal(rig.identity.waits(process), false);
      });

      it("is decided at the end", () => {
        rig.identity.born(seen(5, { workload: image(1) }));
        rig.identity.stopWaiting();
        assert.equal(decided, 1);
        assert.equal(rig.identity.waits(seen(5, { workload: image(1) })), false);
      });
    });

    it("is settled after the programs have known it for a collection", () => {
      rig.identity.born(seen(5, { workload: image(1) }));
      assert.equal(rig.identity.isSettled(image(1)), false);
      rig.identity.collected();
      assert.equal(rig.identity.isSettled(image(1)), true);
    });

    it("is a container's if one of its processes was not read, but not a session's", () => {
      rig.run(5, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s" } });
      rig.run(6, { cgroup: session, env: { OTEL_SERVICE_NAME: "s" } });
      const inDocker = rig.cgroup(`/docker/${id}`);
      const inSession = rig.cgroup("/user.slice/user-0.slice/session-1.scope");
      rig.identity.born(seen(5, { cgroupId: inDocker }));
      rig.identity.born(seen(6, { cgroupId: inSession }));
      assert.equal(rig.name(seen(50, { cgroupId: inDocker })), "s");
      assert.equal(rig.name(seen(60, { cgroupId: inSession })), "prog");
    });
  });
});
