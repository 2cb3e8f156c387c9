// Contexts that SDKs publish for each thread (OTEP 4947) are found for each message, wherever the program keeps them, and no
// others are.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { Publisher, processContext } from "../../test/support/threads.ts";
import { AddressSpace } from "../identity/address-space.ts";
import { programHeadersOf } from "../identity/elf.ts";
import { findThreadVariable, UnreadableVariable } from "../identity/thread-variable.ts";

const of = (netns: Netns) => ({ "filter.include.netns": String(statSync(netns.path).ino) });
const sorted = (list: readonly string[]) => list.toSorted();

/** Waits until the agent has found the contexts of this many programs. */
async function found(w: ContextWatch, count: number): Promise<void> {
  await w.seen.until(
    `${count} programs that publish`,
    () => w.seen.engine.correlation!.threadsFound >= count,
  );
}

describe("thread contexts", () => {
  before(function () {
    needsRoot(this);
    if (process.arch !== "x64") skip(this, "contexts of threads are read only on x86-64");
  });

  for (const [what, program, library] of [
    ["an executable's own", "executable"],
    ["a linked library's", "linked"],
    ["those of a library that is loaded later, in the room kept for it", "opener", "small.so"],
    ["those of a library that is loaded later, in memory of its own", "opener", "large.so"],
    ["those of a library with the older relocations", "opener", "classic.so"],
    ["those of a library at a fixed offset", "opener", "fixed.so"],
  ] as const) {
    it(`are ${what}: 400 of 400`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts([], of(netns));
      await using publisher = await Publisher.start(netns, program, library ? { library } : {});
      await found(w, 1);
      const sent = await publisher.send("context");
      assert.equal(sent.length, 400);
      assert.deepEqual(sorted(w.traceparents("sent")), sorted(sent));
      assert.deepEqual(w.traceparents("answer"), []);
      assert.deepEqual(w.traceparents("received"), []);
    });
  }

  it("end with a message without one: 200 of 400 if every second message has one, none with an invalid record or without a record", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    await using publisher = await Publisher.start(netns, "executable");
    await found(w, 1);
    await publisher.send("none");
    await publisher.send("invalid");
    assert.deepEqual(w.contexts(), []);
    const sent = await publisher.send("context", 2);
    assert.equal(sent.length, 200);
    const kept = w.contexts();
    assert.deepEqual(sorted(kept.flatMap(({ traceparent }) => traceparent ?? [])), sorted(sent));
    // Each is followed by bytes without a context.
    assert.equal(kept.filter(({ traceparent }) => traceparent === undefined).length, 200);
  });

  it("are not looked for in a program that does not announce them, unless that is configured", async () => {
    for (const [context, setting, count] of [
      [processContext({ "service.name": "x" }, {}), "auto", 0],
      [processContext({}, { "threadlocal.schema_version": "go_pprof_labels_v1" }), "auto", 0],
      [Buffer.alloc(0), "auto", 0],
      [Buffer.alloc(0), "true", 400],
      [processContext({}, { "threadlocal.schema_version": "tlsdesc_v1_dev" }), "auto", 400],
      [processContext({}, { "threadlocal.schema_version": "tls_v1" }), "false", 0],
    ] as const) {
      await using netns = await Netns.create();
      await using w = await watchContexts([], { ...of(netns), "correlate.threads": setting });
      await using publisher = await Publisher.start(netns, "executable", { context });
      if (count) await found(w, 1);
      // A process that starts after it is examined after it.
      await using second = await Publisher.start(netns, "linked");
      if (setting !== "false") await found(w, count ? 2 : 1);
      await publisher.send("context");
      assert.equal(w.traceparents("sent").length, count, `${setting}, ${context.toString("latin1")}`);
      void second;
    }
  });

  it("belong to the running program: after exec() to the next one, and to none in between", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    await using publisher = await Publisher.start(netns, "executable");
    await found(w, 1);
    const first = await publisher.send("context");
    await publisher.exec("opener", "large.so");
    await found(w, 2);
    const second = await publisher.send("context");
    assert.deepEqual(sorted(w.traceparents("sent")), sorted([...first, ...second]));
  });

  it("are found for each message of known programs after a reload, too", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    await using publisher = await Publisher.start(netns, "executable");
    await found(w, 1);
    /** Number of messages whose contexts were read so far, after 400 more messages. */
    const sent = async () => {
      await publisher.send("context");
      await w.seen.collect();
      return w.seen.engine.correlation!.counts.threadsSent;
    };
    const settings = { ...of(netns), "correlate.enabled": "true", "self.exclude": "false" };
    assert.equal(await sent(), 400);
    const said = await w.seen.reload({ ...settings, "correlate.window": "2048" });
    assert.deepEqual(said, ["correlation: restarted"]);
    assert.equal(await sent(), 800);
    assert.equal(w.seen.engine.correlation!.threadsFound, 1);
    await w.seen.reload({ ...settings, "correlate.threads": "false" });
    assert.equal(await sent(), 800);
    await w.seen.reload(settings);
    // It is requested again by its next message.
    await publisher.send("none");
    await found(w, 2);
    assert.equal(await sent(), 1200);
  });

  it("are forgotten when a program is killed while it sends", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    for (let i = 1; i <= 5; i++) {
      await using publisher = await Publisher.start(netns, "opener", { library: "large.so" });
      await found(w, i);
      const sending = publisher.send("context").catch(() => []);
      publisher.child.kill("SIGKILL");
      await sending;
    }
    await using publisher = await Publisher.start(netns, "executable");
    await found(w, 6);
    const before = w.traceparents("sent").length;
    const sent = await publisher.send("context");
    assert.deepEqual(sorted(w.traceparents("sent").slice(before)), sorted(sent));
  });

  it("identify the request that caused an attempt to connect, also if it fails", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts(["tcplife"], of(netns));
    await using publisher = await Publisher.start(netns, "executable");
    await found(w, 1);
    const tried: string[] = [];
    for (let i = 0; i < 20; i++) tried.push(await publisher.connect(1));
    const failed = () =>
      w.seen.spans.filter(
        ({ name, attributes }) =>
          name === "tcp connect" && attributes["wirespan.context.source"] === "thread",
      );
    await w.seen.until("refused attempts", () => failed().length >= 20);
    assert.deepEqual(sorted(failed().map((s) => `00-${s.traceId}-${s.parentSpanId}-01`)), sorted(tried));
  });

  it("are not found if a program publishes something unreadable, and the program is counted", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    const publishing = processContext({}, { "threadlocal.schema_version": "tls_v1" });
    const malformed = [publishing.subarray(0, -1), Buffer.alloc(40_000, 1), Buffer.from([0xff, 0xff, 0xff])];
    for (const [i, context] of malformed.entries()) {
      await using publisher = await Publisher.start(netns, "executable", { context });
      await w.seen.until("a count", () => w.seen.engine.correlation!.unread.thread_unreadable > i);
      await publisher.send("context");
      assert.deepEqual(w.contexts(), []);
    }
  });

  it("are looked for in arbitrary memory without harm", async () => {
    await using netns = await Netns.create();
    await using publisher = await Publisher.start(netns, "opener", { library: "large.so" });
    using space = new AddressSpace(`/proc/${publisher.child.pid}`);
    const mappings = space.mappings();
    const headers = programHeadersOf(readFileSync(`/proc/${publisher.child.pid}/auxv`));
    const real = findThreadVariable(space, mappings, headers);
    assert.equal(real?.place, "dynamic");
    let [found, refused] = [0, 0];
    for (let i = 0; i < 3000; i++) {
      let reads = 0;
      const read = (address: number, length: number) => {
        const bytes = space.read(address, length);
        assert.ok(++reads < 20_000, "it ends");
        if (bytes?.length && randomInt(40) === 0) bytes[randomInt(bytes.length)] = randomInt(256);
        return bytes;
      };
      try {
        if (findThreadVariable({ read }, mappings, headers)) found++;
      } catch (error) {
        assert.ok(error instanceof UnreadableVariable, String(error));
        refused++;
      }
    }
    assert.ok(found > 0 && refused > 0, `${found} found, ${refused} refused`);
  });

  it("belong to a workload with the resource that its SDK publishes", async () => {
    await using netns = await Netns.create();
    await using w = await watch(["tcplife"], of(netns));
    const resource = { "service.name": "cart", "service.instance.id": "one", "host.name": "elsewhere" };
    await using publisher = await Publisher.start(netns, "executable", {
      context: processContext(resource, {}),
    });
    publisher.child.stdin!.end();
    await w.until("its connections", () => w.spans.length >= 4);
    for (const span of w.spans) {
      assert.equal(span.resource.attributes["service.name"], "cart");
      assert.equal(span.resource.attributes["service.instance.id"], "one");
      assert.notEqual(span.resource.attributes["host.name"], "elsewhere");
    }
  });
});
