// tcpaccept with connections that io_uring accepts.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { native } from "../../native/index.ts";
import { assertRow, inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { build, pick, run } from "../../test/support/workload.ts";

const DISABLED = "/proc/sys/kernel/io_uring_disabled";

describe("tcpaccept with io_uring", () => {
  let seen: Watch;

  before(async function () {
    needsRoot(this);
    if (native.tracepointArity("io_uring_complete") < 0) skip(this, "this kernel has no io_uring");
    if (existsSync(DISABLED) && readFileSync(DISABLED, "utf8").trim() !== "0")
      skip(this, "io_uring is switched off on this host");
    await build();
    seen = await watch(["tcpaccept", "tcplife"]);
  });

  after(async () => {
    await seen?.[Symbol.asyncDispose]();
  });

  for (const [workload, how] of [
    ["uring", "by a request each"],
    ["uringMultishot", "by one request for all"],
    ["uringDirect", "without a descriptor"],
    ["uringMultishotDirect", "by one request for all, without descriptors"],
  ] as const) {
    it(`reports each connection that is accepted ${how}, with its acceptor`, async () => {
      await using netns = await Netns.create();
      const from = seen.spans.length;
      const lines = await run(netns, workload, { up: 100, count: 3 });
      const clients = pick(lines, "end", "client");
      const [accepting] = pick(lines, "accept");
      const inbound = () =>
        seen.spans
          .slice(from)
          .filter(
            ({ attributes: a }) =>
              a["wirespan.netns.inode"] === inodeOf(netns) &&
              a["wirespan.connection.direction"] === "inbound",
          );
      await seen.until("three accepts and three ends", () => inbound().length >= 6);
      for (const [name, source] of [
        ["tcp accept", "accept"],
        ["tcp connection", "io"],
      ]) {
        const spans = inbound().filter((span) => span.name === name);
        assert.deepEqual(
          spans.map(({ attributes }) => attributes["network.peer.port"]).sort(),
          clients.map(({ localPort }) => localPort).sort(),
        );
        for (const { attributes } of spans) {
          assertRow(attributes, {
            "process.pid": accepting!.pid,
            "thread.name": "pworker",
            "wirespan.process.source": source,
            "wirespan.process.acceptor.pid": undefined,
            "error.type": undefined,
          });
        }
      }
      const fds = inbound().map(({ attributes }) => attributes["wirespan.tcp.accept.fd"]);
      // If a function can be traced, it does not show the descriptor.
      if (native.tryKind("fentry") !== undefined)
        assert.equal(fds.filter((fd) => fd !== undefined).length, how.includes("without") ? 0 : 3);
    });
  }

  it("reports a request that fails for lack of a descriptor", async function () {
    if (native.tryKind("fentry") === undefined) skip(this, "the function that is watched is not io_uring's");
    await using netns = await Netns.create();
    const from = seen.events.length;
    const lines = await run(netns, "uringEmfile", { up: 10 });
    const calls = pick(lines, "accept");
    assert.deepEqual(
      calls.map(({ errno }) => errno),
      [24, 0],
    );
    const here = () =>
      seen.events
        .slice(from)
        .filter(({ attributes }) => attributes["wirespan.netns.inode"] === inodeOf(netns));
    await seen.until("one event", () => here().length >= 1);
    assert.equal(here().length, 1);
    assertRow(here()[0]!.attributes, {
      "error.type": "too_many_open_files",
      "process.pid": calls[0]!.pid,
      "thread.name": "psrv",
    });
  });
});
