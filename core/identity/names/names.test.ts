import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, type ServerHttp2Stream } from "node:http2";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { recorder } from "../../../test/support/exporting.ts";
import { host, IdentityRig, id, pod, seen, uid } from "../../../test/support/identity-rig.ts";
import { Containerd } from "./containerd.ts";
import { Docker } from "./docker.ts";
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

  const askDocker = async (answer: unknown): Promise<Answer> => {
    const socket = join(folder, "docker");
    await using server = createHttp((_, response) => response.end(JSON.stringify(answer)));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return await new Docker(socket).ask();
  };

  it("fail if the answer is not a list", async () => {
    await assert.rejects(askDocker(null), /^Error: its answer is not a list of containers$/);
  });

  it("do not suffer from an entry of Docker's that is malformed", async () => {
    const listed = [
      null,
      5,
      {},
      { Id: 6, Names: ["/six"] },
      { Id: "a", Names: [7] },
      { Id: "b", Names: ["/web"] },
    ];
    using names = new Names([{ name: "it", ask: () => askDocker(listed) }], recorder().log);
    await names.start();
    assert.deepEqual([names.of("a", undefined), names.of("b", undefined)], [{}, { "container.name": "web" }]);
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

  it("do not suffer from a container that is malformed", async () => {
    const named = Buffer.concat([
      field(Buffer.from("good")),
      Buffer.from([0x12, 18]),
      field(Buffer.from("nerdctl/name")),
    ]);
    const good = Buffer.concat([named, Buffer.from([0x12, 2]), Buffer.from("ok")]);
    const malformed = Buffer.from([0x0a, 99, 1]);
    const { containers } = await ask((stream, path) => {
      if (path.includes("Namespaces")) finish(stream, field(field(Buffer.from("n"))));
      else finish(stream, Buffer.concat([field(malformed), field(good)]));
    });
    assert.deepEqual(containers, new Map([["good", { "container.name": "ok" }]]));
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

    it("are requested once a second, at most three times; that container's next process does not wait", async () => {
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
    source.containers.c1 = JSON.parse(`{"container.name": 5}`);
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
