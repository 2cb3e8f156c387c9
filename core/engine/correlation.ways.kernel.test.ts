// Trace contexts of requests that leave or reach a program in unusual ways: the right one or none, never another's.
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type ContextWatch, watchContexts } from "../../test/support/contexts.ts";
import { HttpServer, linesOf } from "../../test/support/http.ts";
import { end, Netns, needsRoot } from "../../test/support/netns.ts";

const program = ["python3", "-B", fileURLToPath(new URL("../../test/http/ways.py", import.meta.url))];
const of = (netns: Netns) => ({ "filter.include.netns": String(statSync(netns.path).ino) });

/** In their order, including messages without a context. */
const kept = (w: ContextWatch, direction: string) =>
  w.contexts().flatMap((c) => (c.direction === direction ? [c.traceparent] : []));

describe("trace contexts of requests in unusual ways", () => {
  before(function () {
    needsRoot(this);
  });

  for (const way of ["zerocopy", "uring", "uring-worker"])
    it(`are found for requests sent alternately by send() and ${way}`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts([], of(netns));
      await using server = await HttpServer.start(netns, "127.0.0.1");
      const asked = await linesOf(netns, [...program, "ask", "127.0.0.1", String(server.port), way, "40"]);
      assert.deepEqual([kept(w, "sent"), kept(w, "received"), kept(w, "answer")], [asked, asked, asked]);
    });

  for (const way of ["sendfile", "splice", "uring-registered"])
    it(`are not found for what is sent by ${way} at the sender's end, nor is the previous request's used`, async () => {
      await using netns = await Netns.create();
      await using w = await watchContexts([], of(netns));
      await using server = await HttpServer.start(netns, "127.0.0.1");
      const asked = await linesOf(netns, [...program, "ask", "127.0.0.1", String(server.port), way, "40"]);
      const own = asked.map((traceparent, i) => (i % 2 ? undefined : traceparent));
      assert.deepEqual([kept(w, "sent"), kept(w, "received"), kept(w, "answer")], [own, asked, asked]);
    });

  it("in a handshake's last packet are read only if functions can be traced, and assigned to nothing otherwise", async () => {
    await using netns = await Netns.create();
    await using w = await watchContexts([], of(netns));
    const server = netns.spawn(program[0]!, [...program.slice(1), "serve", "127.0.0.1"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [port] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
    const asked = await linesOf(netns, [...program, "first", "127.0.0.1", port, "50"]);
    await end(server);
    const isWatched = w.seen.engine.correlation!.hooks.some(
      (hook) => hook.observes.includes("last packet") && hook.program,
    );
    const later = asked.filter((_, i) => isWatched || i % 2);
    assert.equal(later.length, isWatched ? 100 : 50);
    assert.deepEqual([kept(w, "sent"), kept(w, "received"), kept(w, "answer")], [asked, later, later]);
  });
});
