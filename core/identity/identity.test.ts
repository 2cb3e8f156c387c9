import assert from "node:assert/strict";
import type { FakeProcess } from "../../test/support/fake-proc.ts";
import { docker, host, IdentityRig, id, pod, type Seen, seen, uid } from "../../test/support/identity-rig.ts";
import type { ObservedProcess } from "./identity.ts";
import type { ProcessFacts } from "./proc.ts";
import { parseRule, type Rule } from "./rules.ts";

describe("identity", () => {
  let rig: IdentityRig;

  beforeEach(() => {
    rig = new IdentityRig();
  });
  afterEach(() => rig[Symbol.dispose]());

  it("reads each of 16,000 processes once, although all of them are active in turn", () => {
    let looks = 0;
    const process = (pid: number): ProcessFacts => {
      looks++;
      const none = { published: undefined, unpublishable: undefined, command: undefined, program: undefined };
      const known = { comm: "prog", exe: "/usr/bin/prog", cgroup: "0::/\n", environment: {}, refused: false };
      return { pid, startTicks: 1000, ...known, ...none };
    };
    rig.identity = rig.made({ proc: { process, ports: () => new Set() } });
    for (let turn = 0; turn < 3; turn++) for (let pid = 1; pid <= 16_000; pid++) rig.identity.of(seen(pid));
    assert.equal(looks, 16_000);
  });

  const instance = (process: ObservedProcess) =>
    rig.identity.of(process).resource!.attributes["service.instance.id"] as string;

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
      it(`is taken from ${what}`, () => {
        rig.fake.set({ pid: 5, exe: "/usr/bin/prog", ...process });
        assert.equal(rig.name(seen(5, kernel)), expected);
      });
    }
  });

  describe("a Resource", () => {
    it("has the host, the container, the pod and what the process says about itself", () => {
      const env = {
        OTEL_SERVICE_NAME: "cart",
        OTEL_RESOURCE_ATTRIBUTES:
          "service.namespace=shop,service.version=2,k8s.container.name=main,process.pid=1,telemetry.sdk.name=x",
      };
      rig.run(5, { cgroup: pod, env });
      assert.deepEqual(rig.attributesOf(seen(5)), {
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

    it("takes no facts from a process that the agent finds itself, or that identify others", () => {
      const lies = [
        ...["host.id=1", "host.name=spoofed", "container.id=evil", "k8s.pod.uid=evil", "k8s.node.name=evil"],
        ...["cloud.account.id=1", "os.type=dos", "process.pid=1", "telemetry.sdk.name=x", "wirespan.x=1"],
      ];
      const env = { OTEL_RESOURCE_ATTRIBUTES: `${lies.join()},team=blue,k8s.pod.name=p` };
      rig.run(5, { cgroup: pod, env });
      rig.run(6, { env });
      const { "container.id": _, ...inPod } = rig.attributesOf(seen(5));
      assert.deepEqual(inPod, {
        ...host,
        "k8s.pod.uid": uid,
        "k8s.pod.name": "p",
        "service.name": "p",
        team: "blue",
      });
      assert.deepEqual(rig.attributesOf(seen(6)), { ...host, "service.name": "prog", team: "blue" });
    });

    it("follows Kubernetes' conventions for the name of a pod's service", () => {
      const said = "k8s.container.name=main,k8s.pod.name=cart-7f-x,k8s.deployment.name=cart";
      rig.run(5, { cgroup: pod, env: { OTEL_RESOURCE_ATTRIBUTES: said } });
      assert.equal(rig.name(seen(5)), "cart");
    });

    it("has values of at most 256 bytes, without control characters", () => {
      rig.run(5, {
        env: { OTEL_SERVICE_NAME: "é".repeat(10_000), OTEL_RESOURCE_ATTRIBUTES: `a=${"b".repeat(2000)}` },
      });
      assert.equal(rig.name(seen(5)), "é".repeat(128));
      assert.equal(rig.attributesOf(seen(5)).a, "b".repeat(256));
      rig.run(6, { env: { OTEL_SERVICE_NAME: "a\u001b[31mb" } });
      assert.equal(rig.name(seen(6)), "prog");
      assert.deepEqual(rig.heard, [
        "pid 6: OTEL_SERVICE_NAME ignored: it has a control character or is not UTF-8",
      ]);
    });

    it("is one object for all processes of a workload, whatever the order of their attributes", () => {
      rig.run(5, { cgroup: docker, env: { OTEL_RESOURCE_ATTRIBUTES: "a=1,service.name=s" } });
      rig.run(6, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "a=1" } });
      rig.run(7, { cgroup: docker, env: { OTEL_SERVICE_NAME: "s" } });
      assert.equal(rig.identity.of(seen(5)), rig.identity.of(seen(6)));
      assert.notEqual(rig.identity.of(seen(5)), rig.identity.of(seen(7)));
    });

    it("of a process in the host's network is still that of its pod", () => {
      // By cgroup, not by address: hostNetwork and the host's own processes are distinguished.
      rig.run(5, { cgroup: pod });
      rig.run(6, { cgroup: "0::/system.slice/sshd.service\n" });
      assert.equal(rig.identity.of(seen(5)).resource!.attributes["k8s.pod.uid"], uid);
      assert.deepEqual(rig.attributesOf(seen(6)), { ...host, "service.name": "sshd" });
    });

    it("omits malformed attributes, and the log has the reason without the value", () => {
      rig.run(5, { env: { OTEL_SERVICE_NAME: "s", OTEL_RESOURCE_ATTRIBUTES: "a=1,secret" } });
      assert.deepEqual(rig.attributesOf(seen(5)), { ...host, "service.name": "s" });
      assert.deepEqual(rig.heard, ['pid 5: OTEL_RESOURCE_ATTRIBUTES ignored: member 2 has no "="']);
    });
  });

  describe("service.instance.id", () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    const version = (v: number) => ({
      OTEL_SERVICE_NAME: "s",
      OTEL_RESOURCE_ATTRIBUTES: `service.version=${v}`,
    });
    const unit = (name: string) => `0::/system.slice/${name}.service\n`;

    it("is what the process says, or else its container's id", () => {
      rig.run(5, { cgroup: docker, env: { OTEL_RESOURCE_ATTRIBUTES: "service.instance.id=mine" } });
      rig.run(6, { cgroup: docker, env: version(1) });
      assert.deepEqual([instance(seen(5)), instance(seen(6))], ["mine", id]);
    });

    it("is otherwise derived from host, cgroup and program, and is the same in the next agent", () => {
      rig.run(5, { cgroup: unit("web") });
      rig.run(6, { cgroup: unit("other"), env: { OTEL_SERVICE_NAME: "web" } });
      rig.run(7, { cgroup: unit("web"), exe: "/usr/bin/more" });
      rig.run(8, { cgroup: unit("web") });
      const ids = [5, 6, 7].map((pid) => instance(seen(pid, pid === 7 ? { exe: "more" } : {})));
      for (const one of ids) assert.match(one, uuid);
      assert.equal(new Set(ids).size, 3);
      assert.equal(instance(seen(8)), ids[0], "two processes of one program in one unit are one instance");
      rig.identity = rig.made();
      assert.deepEqual(
        [7, 6, 5].map((pid) => instance(seen(pid, pid === 7 ? { exe: "more" } : {}))),
        ids.toReversed(),
      );
      rig.identity = rig.made({ host: { ...host, "host.id": "elsewhere" } });
      assert.notEqual(instance(seen(5)), ids[0]);
    });

    it("is never shared by two that differ, whatever they say about themselves", () => {
      const same = (v: number) => ({
        OTEL_RESOURCE_ATTRIBUTES: `service.name=s,service.instance.id=same,service.version=${v}`,
      });
      rig.run(5, { cgroup: docker, env: same(1) });
      rig.run(6, { cgroup: docker, env: same(2) });
      rig.run(7, { cgroup: pod, env: same(1) });
      rig.run(8, { cgroup: unit("s"), env: version(1) });
      rig.run(9, { cgroup: unit("s"), env: version(2) });
      rig.run(10, { cgroup: docker, env: version(1) });
      rig.run(11, { cgroup: docker, env: version(2) });
      const all = [5, 6, 7, 8, 9, 10, 11].map((pid) => instance(seen(pid)));
      assert.equal(new Set(all).size, all.length, all.join(" "));
      assert.equal(all[0], "same");
      assert.equal(rig.identity.of(seen(5)), rig.identity.of(seen(5)));
    });
  });

  describe("names set by an administrator", () => {
    const named = (pid: number, rule: string) => {
      rig.identity = rig.made({ rules: [parseRule(rule) as Rule] });
      const { attributes } = rig.identity.of(seen(pid, { exe: "java", comm: "java" })).resource!;
      return [attributes["service.namespace"], attributes["service.name"]].filter(Boolean).join("/");
    };

    it("take precedence over everything else", () => {
      const argv = ["/usr/bin/java", "-Dapp=billing", "-jar", "/srv/app.jar"];
      rig.run(5, {
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
});
