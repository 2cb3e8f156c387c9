import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { createServer, type Server } from "node:https";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { Certificates, hasOpenssl } from "../../../test/support/certificates.ts";
import { recorder } from "../../../test/support/exporting.ts";
import { host, IdentityRig, id, pod, seen, uid } from "../../../test/support/identity-rig.ts";
import { skip } from "../../../test/support/skip.ts";
import { Containerd } from "./containerd.ts";
import { Docker } from "./docker.ts";
import { Kubelet, podsOf } from "./kubelet.ts";
import { type Answer, type Named, Names, type Source } from "./names.ts";

/** Responds with whatever a test sets. */
class Settable implements Source {
  readonly name = "it";
  containers: Record<string, Named> = {};
  error: Error | undefined;
  asked = 0;

  async ask(): Promise<Answer> {
    this.asked++;
    if (this.error) throw this.error;
    return { containers: new Map(Object.entries(this.containers)), pods: new Map() };
  }
}

const list = (...items: object[]) => podsOf({ items: items as never });
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

  describe("over TLS", () => {
    let folder = "";
    let server: Server;
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
        response.end(JSON.stringify({ items: [owned("DaemonSet", request.url!)] }));
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

describe("names from a container runtime's socket", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-runtime-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const sources = (socket: string) => [new Docker(socket), new Containerd(socket)];

  it("fail if there is none, or if it is closed in the middle of an answer", async () => {
    for (const source of sources(join(folder, "none"))) await assert.rejects(source.ask(), /ENOENT/);
    const socket = join(folder, "closing");
    const server = createSocket((client) => client.once("data", () => client.end("HTTP/1.1 200 OK\r\n")));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    for (const source of sources(socket)) await assert.rejects(source.ask());
    server.close();
  });

  it("fail if the answer is not a list", async () => {
    const socket = join(folder, "other");
    const server = createSocket((client) => {
      client.once("data", () => client.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"));
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await assert.rejects(new Docker(socket).ask(), /^Error: its answer is not a list of containers$/);
    server.close();
  });
});

describe("names from containerd", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-containerd-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
  /** What each call of a service is answered with. */
  const ask = async (answer: (stream: ServerHttp2Stream, path: string) => void): Promise<Answer> => {
    const socket = join(folder, "socket");
    const server = createHttp2();
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      answer(stream, headers[":path"]!);
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      return await new Containerd(socket).ask();
    } finally {
      server.close();
    }
  };
  const finish = (stream: ServerHttp2Stream, message: Buffer) => {
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.concat([Buffer.alloc(5), message]));
  };

  it("are those of all its namespaces, without a warning about their number", async () => {
    const warnings: Error[] = [];
    const heard = (warning: Error) => void warnings.push(warning);
    process.on("warning", heard);
    const namespaces = Array.from({ length: 20 }, (_, i) => field(field(Buffer.from(`n${i}`))));
    let calls = 0;
    const { containers } = await ask((stream, path) => {
      if (path.includes("Namespaces")) finish(stream, Buffer.concat(namespaces));
      else finish(stream, field(field(Buffer.from(`c${calls++}`))));
    });
    await new Promise(setImmediate);
    process.off("warning", heard);
    assert.equal(containers.size, 20);
    assert.deepEqual(warnings, []);
  });

  it("fail after five seconds in all, even if it keeps answering", async () => {
    const timers: NodeJS.Timeout[] = [];
    const drip = (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200 });
      timers.push(setInterval(() => stream.destroyed || stream.write("x"), 100));
    };
    await assert.rejects(ask(drip), /^Error: no answer within 5 s$/);
    for (const timer of timers) clearInterval(timer);
  });
});

describe("names", () => {
  it("are kept when their source no longer answers, which is logged once", async () => {
    const { lines, log } = recorder();
    const source = new Settable();
    source.containers = { a: { "container.name": "web" } };
    using names = new Names([source], log);
    await names.start();
    source.error = new Error("gone");
    for (let i = 0; i < 2; i++) await names.start();
    assert.deepEqual(names.of("a", undefined), { "container.name": "web" });
    source.error = undefined;
    await names.start();
    const said = lines.map(({ message }) => message);
    assert.deepEqual(said, ["no names from it: gone", "it answers again"]);
  });

  describe("of a new container", () => {
    const patience = 3000;
    let now = 0;
    let source: Settable;
    let names: Names;
    let changes = 0;

    /** Advances the clock and lets responses arrive. */
    async function pass(ms: number): Promise<void> {
      now += ms;
      mock.timers.tick(ms);
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }

    beforeEach(async () => {
      mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
      mock.method(performance, "now", () => now);
      source = new Settable();
      names = new Names([source], recorder().log);
      await names.start();
      changes = 0;
      names.listen(() => changes++);
    });
    afterEach(() => {
      names[Symbol.dispose]();
      mock.timers.reset();
      mock.restoreAll();
    });

    it("are asked for at once, and awaited until they are known", async () => {
      await pass(1500);
      for (let i = 0; i < 1000; i++) assert.equal(names.awaits("new", undefined), true);
      source.containers = { new: { "container.name": "late" } };
      await pass(0);
      assert.deepEqual([source.asked, changes], [2, 1]);
      assert.equal(names.awaits("new", undefined), false);
      assert.deepEqual(names.of("new", undefined), { "container.name": "late" });
      await pass(patience);
      assert.equal(source.asked, 2, "nothing is missing any more");
    });

    it("are asked for once a second, and given up after three: that container's next process does not wait", async () => {
      names.awaits("new", undefined);
      await pass(999);
      assert.equal(source.asked, 1);
      for (let i = 0; i < 2; i++) await pass(1000);
      assert.equal(source.asked, 3);
      assert.equal(names.awaits("new", undefined), true);
      await pass(1);
      assert.equal(names.awaits("new", undefined), false);
      for (let i = 0; i < 10; i++) names.awaits("new", undefined);
      await pass(1900);
      assert.equal(source.asked, 4, "the regular question of every five seconds alone");
    });

    it("are missing until both the pod's and the container's are there", async () => {
      const partly: Record<string, Named>[] = [
        { new: { "k8s.container.name": "app" } },
        { new: { "k8s.container.name": "app", "k8s.pod.name": "cart" } },
      ];
      const awaited = [names.awaits("new", uid)];
      for (const containers of partly) {
        source.containers = containers;
        await pass(1000);
        awaited.push(names.awaits("new", uid));
      }
      assert.deepEqual(awaited, [true, true, false]);
    });

    it("are not awaited of a source that does not answer", async () => {
      assert.equal(names.awaits("new", undefined), true);
      source.error = new Error("gone");
      await pass(1000);
      assert.equal(names.awaits("new", undefined), false);
      assert.equal(names.awaits("newer", undefined), false);
    });
  });

  it("are limited: 4,096 containers, 256 bytes, no control characters", async () => {
    const source = new Settable();
    const entries = Array.from({ length: 5000 }, (_, i) => [`c${i}`, { "container.name": `n${i}` }] as const);
    source.containers = { ["x".repeat(257)]: { "container.name": "long" }, ...Object.fromEntries(entries) };
    source.containers.c1 = { "container.name": 5 as never };
    source.containers.c0 = { "container.name": "x".repeat(300), "k8s.pod.name": "a\u001b[2J" };
    using names = new Names([source], recorder().log);
    await names.start();
    assert.deepEqual(names.of("c0", undefined), { "container.name": "x".repeat(256) });
    assert.deepEqual(names.of("c1", undefined), {});
    assert.deepEqual(names.of("x".repeat(257), undefined), {});
    assert.deepEqual(names.of("c4095", undefined), { "container.name": "n4095" });
    assert.deepEqual(names.of("c4096", undefined), {});
  });

  it("are in the Resource of a pod's process, and give its service a name if it has none itself", async () => {
    using rig = new IdentityRig();
    const named = { "k8s.pod.name": "cart-1", "k8s.deployment.name": "cart", "k8s.namespace.name": "shop" };
    rig.identity = rig.made({ names: { of: () => named, awaits: () => false, listen() {} } });
    rig.run(42, { cgroup: pod });
    rig.run(43, {
      cgroup: pod,
      env: { OTEL_SERVICE_NAME: "own", OTEL_RESOURCE_ATTRIBUTES: "k8s.pod.name=me" },
    });
    const [silent, speaking] = [42, 43].map((pid) => rig.identity.of(seen(pid)).resource!.attributes);
    const facts = { ...host, ...named, "k8s.pod.uid": uid, "container.id": id };
    assert.deepEqual(silent, { ...facts, "service.name": "cart", "service.instance.id": id });
    const { "service.instance.id": _, ...said } = speaking!;
    assert.deepEqual(said, { ...facts, "service.name": "own" });
  });
});
