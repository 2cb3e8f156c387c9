import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "../../../test/support/certificates.ts";
import { recorder } from "../../../test/support/exporting.ts";
import { uid } from "../../../test/support/identity-rig.ts";
import { skip } from "../../../test/support/skip.ts";
import { Kubelet, podsOf } from "./kubelet.ts";
import { Names } from "./names.ts";

const list = (...items: object[]) => podsOf({ items });
const owned = (kind: string, name: string, labels = {}) => ({
  metadata: {
    ...{ name: "p", namespace: "n", uid, labels },
    ownerReferences: [
      { kind: "Other", name: "x" },
      { kind, name, controller: true },
    ],
  },
});

describe("names from a kubelet", () => {
  it("are those of a pod, its node and its containers, by the ids that processes have", () => {
    const statuses = {
      initContainerStatuses: [{ name: "first", containerID: "containerd://a1" }],
      containerStatuses: [{ name: "app", containerID: "cri-o://b2" }, { name: "waiting" }],
      ephemeralContainerStatuses: [{ name: "debug", containerID: "docker://c3" }],
    };
    const { pods, containers } = list({
      metadata: { name: "web-0", namespace: "shop", uid },
      spec: { nodeName: "node-1" },
      status: statuses,
    });
    const named = { "k8s.pod.name": "web-0", "k8s.namespace.name": "shop", "k8s.node.name": "node-1" };
    assert.deepEqual(pods, new Map([[uid, named]]));
    const byId = ["first", "app", "debug"].map((name) => ({ "k8s.container.name": name }));
    assert.deepEqual(
      [...containers],
      [
        ["a1", byId[0]],
        ["b2", byId[1]],
        ["c3", byId[2]],
      ],
    );
  });

  for (const [kind, name, labels, expected] of [
    ["ReplicaSet", "web-7d9", { "pod-template-hash": "7d9" }, { replicaset: "web-7d9", deployment: "web" }],
    ["ReplicaSet", "by-hand", {}, { replicaset: "by-hand" }],
    ["StatefulSet", "db", {}, { statefulset: "db" }],
    ["DaemonSet", "agent", {}, { daemonset: "agent" }],
    ["Job", "once", {}, { job: "once" }],
    ["Job", "nightly-29387520", {}, { job: "nightly-29387520", cronjob: "nightly" }],
    ["Tower", "t", {}, {}],
  ] as const) {
    it(`include its owner: ${kind} ${name}`, () => {
      const named = list(owned(kind, name, labels)).pods.get(uid)!;
      const { "k8s.pod.name": _, "k8s.namespace.name": __, ...rest } = named;
      const keys = Object.entries(expected).map(([key, value]) => [`k8s.${key}.name`, value]);
      assert.deepEqual(rest, Object.fromEntries(keys));
    });
  }

  it("are also known for a static pod, by the hash of its file", () => {
    const hash = "0".repeat(32);
    const annotations = { "kubernetes.io/config.hash": hash };
    const { pods } = list({ metadata: { name: "etcd-a", namespace: "kube-system", uid, annotations } });
    assert.deepEqual(pods.get(hash), pods.get(uid));
  });

  it("are empty for a list without pods", () => {
    assert.equal(podsOf({ items: null }).pods.size, 0);
  });

  it("fail if the answer is not a list", () => {
    for (const answer of [null, {}, [], { items: "pods" }])
      assert.throws(() => podsOf(answer), /^Error: its answer is not a list of pods$/);
  });

  describe("over TLS", () => {
    let folder = "";
    let server: Server;
    let malformed: readonly unknown[] = [];
    const tokens: (string | undefined)[] = [];

    before(async function () {
      if (!hasOpenssl()) skip(this, "no openssl");
      folder = mkdtempSync(join(tmpdir(), "wirespan-kubelet-"));
      const certificates = new Certificates(folder);
      for (const name of ["ca", "other"]) certificates.authority(name);
      certificates.leaf("server", "ca");
      const read = (name: string) => readFileSync(join(folder, name));
      server = createServer({ cert: read("server.pem"), key: read("server.key") }, (request, response) => {
        tokens.push(request.headers.authorization);
        response.statusCode = request.headers.authorization === "Bearer bad" ? 403 : 200;
        response.end(JSON.stringify({ items: [...malformed, owned("DaemonSet", request.url!)] }));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    });
    after(() => {
      server?.close();
      if (folder) rmSync(folder, { recursive: true });
    });

    const ask = (token: string, authority = "ca") => {
      writeFileSync(join(folder, "token"), `${token}\n`);
      return new Kubelet({
        url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
        tokenFile: join(folder, "token"),
        caFile: join(folder, `${authority}.pem`),
      }).ask();
    };

    it("are requested with the token that is in the file now", async () => {
      for (const token of ["one", "two"]) await ask(token);
      assert.deepEqual(tokens, ["Bearer one", "Bearer two"]);
      const { pods } = await ask("three");
      assert.equal(pods.get(uid)!["k8s.daemonset.name"], "/pods");
    });

    it("do not suffer from a pod that is malformed, nor a pod from a container", async () => {
      const containerStatuses = [null, { containerID: 8 }, { name: "app", containerID: "cri-o://b2" }];
      malformed = [
        ...[null, 5, "pod", {}, { metadata: null }, { metadata: {} }],
        { metadata: { name: "odd", namespace: "n", uid: "odd", ownerReferences: {} } },
        { metadata: { name: "number", namespace: "n", uid: 7 } },
        { status: { containerStatuses } },
        { metadata: { name: "idle", namespace: "n", uid: "idle" }, status: 9 },
      ];
      const { lines, log } = recorder();
      using names = new Names([{ name: "it", ask: () => ask("four") }], log);
      await names.start();
      malformed = [];
      assert.deepEqual(lines, []);
      assert.equal(names.of(undefined, uid)["k8s.daemonset.name"], "/pods");
      assert.equal(names.of(undefined, "idle")["k8s.pod.name"], "idle");
      assert.deepEqual(names.of("b2", undefined), { "k8s.container.name": "app" });
    });

    it("are not accepted from another server, which is not sent the token", async () => {
      const before = tokens.length;
      await assert.rejects(ask("secret", "other"), /certificate/);
      assert.equal(tokens.length, before);
    });

    it("fail with the status of a refusal", async () => {
      await assert.rejects(ask("bad"), /^Error: status 403$/);
    });
  });
});
