import assert from "node:assert/strict";
import fc from "fast-check";
import { type CgroupFacts, cgroupFacts, pathFacts, unifiedPath } from "./cgroup.ts";

const id = "3f2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f607";
const outer = "b7c1d2e3f4a5968778695a4b3c2d1e0ffedcba98765432100123456789abcdef";
const uid = "2c48913c-b29f-11e7-9350-020968147796";
const uid_ = uid.replaceAll("-", "_");
const staticUid = "a5363f4f31e043bdae3c93aca4991903";

const paths: Readonly<Record<string, readonly [path: string, facts: CgroupFacts][]>> = {
  docker: [
    [`/docker/${id}`, { containerId: id }],
    [`/system.slice/docker-${id}.scope`, { containerId: id }],
    [`/system.slice/docker-${id}.scope/init.scope`, { containerId: id }],
    [`/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${id}.scope`, { containerId: id }],
    [`/user.slice/user-1000.slice/user@1000.service/app.slice/docker-${id}.scope`, { containerId: id }],
    [`/my-parent/${id}`, { containerId: id }],
    [`/actions_job/${id}`, { containerId: id }],
    [`/../../system.slice/docker-${id}.scope`, { containerId: id }],
    [`/system.slice/docker-${id}.scope (deleted)`, { containerId: id }],
    ["/system.slice/docker.service", { service: "docker" }],
    ["/system.slice/docker.socket", {}],
    [`/system.slice/var-lib-docker-overlay2-${id}-merged.mount`, {}],
    [`/docker/${id.slice(1)}`, {}],
    [`/docker/${id.toUpperCase()}`, {}],
  ],
  "containerd, nerdctl": [
    [`/system.slice/nerdctl-${id}.scope`, { containerId: id }],
    [`/default/${id}`, { containerId: id }],
    [
      `/system.slice/containerd.service/kubepods-burstable-pod${uid_}.slice:cri-containerd:${id}`,
      { containerId: id, podUid: uid },
    ],
    [
      `/system.slice/containerd.service/kubepods-pod${uid_}.slice:cri-containerd:${id}`,
      { containerId: id, podUid: uid },
    ],
    [`/kubepods-besteffort-pod${uid_}.slice:cri-containerd:${id}`, { containerId: id, podUid: uid }],
    ["/system.slice/containerd.service", { service: "containerd" }],
  ],
  podman: [
    [`/machine.slice/libpod-${id}.scope`, { containerId: id }],
    [`/machine.slice/libpod-${id}.scope/container`, { containerId: id }],
    [`/machine.slice/libpod-conmon-${id}.scope`, {}],
    [`/libpod_parent/libpod-${id}`, { containerId: id }],
    [`/machine.slice/machine-libpod_pod_${outer}.slice/libpod-${id}.scope/container`, { containerId: id }],
    [`/libpod_parent/${outer}/libpod-${id}`, { containerId: id }],
    [
      `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope/container`,
      { containerId: id },
    ],
    [
      `/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_${outer}.slice/libpod-${id}.scope`,
      { containerId: id },
    ],
    [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-${id}.scope`, {}],
    [`/system.slice/web.service/libpod-payload-${id}`, { containerId: id, service: "web" }],
    [
      `/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-${id}`,
      { containerId: id, service: "web" },
    ],
    ["/system.slice/web.service/runtime", { service: "web" }],
  ],
  "Kubernetes, cgroupfs driver": [
    [`/kubepods/burstable/pod${uid}/${id}`, { containerId: id, podUid: uid }],
    [`/kubepods/besteffort/pod${uid}/${id}`, { containerId: id, podUid: uid }],
    [`/kubepods/pod${uid}/${id}`, { containerId: id, podUid: uid }],
    [`/kubepods/burstable/pod${staticUid}/${id}`, { containerId: id, podUid: staticUid }],
    [`/kubepods/burstable/pod${uid}/crio-${id}`, { containerId: id, podUid: uid }],
    [`/kubepods/burstable/pod${uid}/crio-conmon-${id}`, { podUid: uid }],
    [`/kubepods/burstable/pod${uid}`, { podUid: uid }],
    ["/kubepods/burstable", {}],
  ],
  "Kubernetes, systemd driver": [
    [
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid_}.slice/cri-containerd-${id}.scope`,
      { containerId: id, podUid: uid },
    ],
    [
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${uid_}.slice/docker-${id}.scope`,
      { containerId: id, podUid: uid },
    ],
    [`/kubepods.slice/kubepods-pod${uid_}.slice/crio-${id}.scope`, { containerId: id, podUid: uid }],
    [
      `/kubepods.slice/kubepods-pod${uid_}.slice/crio-${id}.scope/container`,
      { containerId: id, podUid: uid },
    ],
    [
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid_}.slice/crio-conmon-${id}.scope`,
      { podUid: uid },
    ],
    [
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${staticUid}.slice/cri-containerd-${id}.scope`,
      { containerId: id, podUid: staticUid },
    ],
    [`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid_}.slice`, { podUid: uid }],
    [
      `/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${uid_}.slice/cri-containerd-${id}.scope`,
      { containerId: id, podUid: uid },
    ],
    ["/system.slice/kubelet.service", { service: "kubelet" }],
    ["/system.slice/k3s.service", { service: "k3s" }],
  ],
  "nested: kind, minikube, docker in a pod": [
    [`/docker/${outer}/kubelet/kubepods/burstable/pod${uid}/${id}`, { containerId: id, podUid: uid }],
    [`/docker/${outer}/kubepods/besteffort/pod${uid}/${id}`, { containerId: id, podUid: uid }],
    [
      `/system.slice/docker-${outer}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${uid_}.slice/cri-containerd-${id}.scope`,
      { containerId: id, podUid: uid },
    ],
    [
      `/machine.slice/libpod-${outer}.scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${uid_}.slice/cri-containerd-${id}.scope`,
      { containerId: id, podUid: uid },
    ],
    [`/docker/${outer}/kubelet/kubepods/burstable/pod${uid}`, { podUid: uid }],
    [`/kubepods/burstable/pod${uid}/${outer}/docker/${id}`, { containerId: id, podUid: uid }],
    [`/docker/${outer}/docker/${id}`, { containerId: id }],
    [`/docker/${outer}/kubelet.slice/kubelet.service`, { containerId: outer, service: "kubelet" }],
    [`/docker/${id}/system.slice/nginx.service`, { containerId: id, service: "nginx" }],
    [`/system.slice/docker-${id}.scope/system.slice/nginx.service`, { containerId: id, service: "nginx" }],
  ],
  "Amazon ECS": [
    [`/ecs/my-cluster/5d2b8e6f0a1c4d3e9f7b6a5c4d3e2f10/${id}`, { containerId: id }],
    [`/ecs/${uid}/${id}`, { containerId: id }],
    [
      "/ecs/447438d6fc6745b3a4b8b4a2ba4e4ba3/447438d6fc6745b3a4b8b4a2ba4e4ba3-2574823563",
      { containerId: "447438d6fc6745b3a4b8b4a2ba4e4ba3-2574823563" },
    ],
    ["/elsewhere/447438d6fc6745b3a4b8b4a2ba4e4ba3-2574823563", {}],
  ],
  "systemd services": [
    ["/system.slice/nginx.service", { service: "nginx" }],
    ["/system.slice/nginx.service/worker", { service: "nginx" }],
    ["/system.slice/system-postgresql.slice/postgresql@14-main.service", { service: "postgresql@14-main" }],
    ["/system.slice/system-getty.slice/getty@tty1.service", { service: "getty@tty1" }],
    ["/system.slice/system-sshd.slice/sshd@12-192.0.2.1:22-198.51.100.7:50112.service", { service: "sshd" }],
    ["/system.slice/system-sshd.slice/sshd@3-2001:db8::1:22-2001:db8::2:50112.service", { service: "sshd" }],
    [
      "/system.slice/system-systemd\\x2dcoredump.slice/systemd-coredump@7-4711-0.service",
      { service: "systemd-coredump" },
    ],
    [
      "/system.slice/system-openvpn.slice/openvpn@home\\x2doffice.service",
      { service: "openvpn@home-office" },
    ],
    ["/system.slice/caf\\xc3\\xa9.service", { service: "café" }],
    ["/system.slice/_cgroup.test.service", { service: "cgroup.test" }],
    ["/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service", { service: "syncthing" }],
    [
      "/user.slice/user-1000.slice/user@1000.service/session.slice/org.gnome.Shell@wayland.service",
      { service: "org.gnome.Shell@wayland" },
    ],
    ["/lxc.payload.web/system.slice/nginx.service", { service: "nginx" }],
    ["/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", { service: "nginx" }],
    ["/system.slice/my.app.service", { service: "my.app" }],
  ],
  "neither container nor service": [
    ["/", {}],
    ["", {}],
    ["/init.scope", {}],
    ["/system.slice", {}],
    ["/user.slice/user-1000.slice/session-3.scope", {}],
    ["/user.slice/user-1000.slice/user@1000.service/init.scope", {}],
    ["/user.slice/user-1000.slice/user@1000.service", {}],
    ["/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4242.scope", {}],
    [
      "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-0a1b.scope",
      {},
    ],
    ["/system.slice/run-r0123456789abcdef0123456789abcdef.service", {}],
    ["/system.slice/run-u42.service", {}],
    ["/system.slice/run-p4242-i4243.service", {}],
    ["/system.slice/.service", {}],
    ["/process_api/21e83c462f08dab59618f23fe9e15682", {}],
    ["/podman/pods", {}],
  ],
};

/** The expected results for the paths. */
function found({ path: _, paths: __, place: ___, ...facts }: CgroupFacts): CgroupFacts {
  return facts;
}

describe("a cgroup's path", () => {
  for (const [runtime, table] of Object.entries(paths)) {
    describe(runtime, () => {
      for (const [path, facts] of table)
        it(`is recognised: ${path}`, () => assert.deepEqual(found(pathFacts(path)), facts));
    });
  }

  it("never makes the parser throw, whatever it is", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (path) => void pathFacts(path)));
    const parts = fc.constantFrom(
      "/",
      "pod",
      uid,
      uid_,
      id,
      "-",
      ".slice",
      ".service",
      "@",
      "\\x2d",
      "\\x",
      ":",
      "_",
    );
    fc.assert(fc.property(fc.array(parts), (some) => void pathFacts(some.join(""))));
  });
});

describe("/proc/PID/cgroup", () => {
  it("is one line with cgroup v2", () => {
    assert.deepEqual(found(cgroupFacts(`0::/system.slice/docker-${id}.scope\n`)), { containerId: id });
    assert.deepEqual(found(cgroupFacts("0::/system.slice/nginx.service\n")), { service: "nginx" });
    assert.deepEqual(found(cgroupFacts("0::/\n")), {});
  });

  it("names the container in the lines of cgroup v1", () => {
    const path = `/kubepods/burstable/pod${uid}/${id}`;
    const text = ["12:pids", "11:memory", "4:cpu,cpuacct", "3:net_cls,net_prio", "1:name=systemd"];
    assert.deepEqual(found(cgroupFacts(`${text.map((line) => `${line}:${path}`).join("\n")}\n`)), {
      containerId: id,
      podUid: uid,
    });
  });

  it("finds the container although some hierarchies do not contain it", () => {
    const text = `13:rdma:/\n12:memory:/docker/${id}\n1:name=systemd:/docker/${id}\n0::/system.slice/containerd.service\n`;
    assert.deepEqual(found(cgroupFacts(text)), { containerId: id });
  });

  it("takes the service from systemd's own hierarchy if cgroup v2 is empty", () => {
    const text = "5:memory:/system.slice/other.service\n1:name=systemd:/system.slice/nginx.service\n0::/\n";
    assert.deepEqual(found(cgroupFacts(text)), { service: "nginx" });
  });

  it("keeps colons that belong to the path", () => {
    const path = `/system.slice/containerd.service/kubepods-pod${uid_}.slice:cri-containerd:${id}`;
    assert.deepEqual(found(cgroupFacts(`11:cpuset:${path}\n`)), { containerId: id, podUid: uid });
    assert.equal(unifiedPath(`0::${path}\n`), path);
  });

  it("has a path in cgroup v2 only if it has such a line", () => {
    assert.equal(unifiedPath("1:name=systemd:/a\n0::/b\n"), "/b");
    assert.equal(unifiedPath("1:name=systemd:/a\n"), undefined);
    assert.equal(unifiedPath(""), undefined);
  });

  it("gives nothing if it is garbage", () => {
    assert.deepEqual(found(cgroupFacts("garbage\n::\n0:/x\n")), {});
  });
});

describe("the stable part of a cgroup path", () => {
  for (const [path, expected] of [
    ["/system.slice/web.service", "/system.slice/web.service"],
    ["/system.slice/system-pg.slice/pg@15-main.service", "/system.slice/system-pg.slice/pg@15-main.service"],
    [
      "/system.slice/system-ssh.slice/ssh@7-10.0.0.1:22-10.0.0.2:4711.service",
      "/system.slice/system-ssh.slice/ssh@.service",
    ],
    ["/user.slice/user-0.slice/session-12.scope", "/user.slice/user-0.slice"],
    ["/user.slice/user-0.slice/session-c1.scope", "/user.slice/user-0.slice"],
    ["/system.slice/run-u17.service", "/system.slice"],
    [
      "/user.slice/user-1.slice/user@1.service/app.slice/app-x-1234.scope",
      "/user.slice/user-1.slice/user@1.service/app.slice",
    ],
    [`/system.slice/docker-${id}.scope`, `/system.slice/docker-${id}.scope`],
    ["/../../system.slice/web.service", "/system.slice/web.service"],
    ["/", "/"],
  ] as const) {
    it(`is ${expected} of ${path}`, () => assert.equal(pathFacts(path).place, expected));
  }
});
