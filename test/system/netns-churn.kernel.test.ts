// Network namespaces that are created and removed: the kernel reuses their inodes at once, but never their cookies.
import assert from "node:assert/strict";
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { build, netnsCookie, run } from "../support/workload.ts";

interface Truth {
  readonly name: string;
  readonly inode: number;
  /** Connections that were made, and frames on the loopback. */
  readonly connections: number;
  readonly packets: number;
}

const namespaceOf = (a: AnyAttributes) => [
  a["wirespan.netns.cookie"],
  a["wirespan.netns.inode"],
  a["wirespan.netns.name"],
];

describe("short-lived network namespaces", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("have one series each, with its own values and name: 60 of them", async () => {
    const settings = { "plugins.netqtop.loopback": "true", "plugins.netqtop.interfaces": "lo" };
    const plugins = ["netqtop", "tcplife", "solisten", "tcpdrop"];
    await using watched = await watch(plugins, settings);
    const truth = new Map<number, Truth>();
    for (let i = 0; i < 60; i++) {
      await using netns = await Netns.create();
      const connections = 1 + (i % 3);
      await run(netns, "clientCloses", { count: connections, delay: 0 });
      await netns.settled();
      const cookie = await netnsCookie(netns);
      const { packets } = await netns.loopback();
      truth.set(cookie, { name: netns.name, inode: inodeOf(netns), connections, packets });
      // As the agent does at its own pace: a name is looked up while the namespace exists.
      watched.engine.drain();
    }
    const inodes = new Set([...truth.values()].map(({ inode }) => inode));
    assert.ok(truth.size === 60 && inodes.size < 60, `${inodes.size} inodes of 60 namespaces`);

    const metrics = await watched.collect();
    const packets = metrics
      .filter(({ spec }) => spec.name === "wirespan.netdev.queue.packets")
      .flatMap(({ points }) => points)
      .filter(({ attributes: a }) => a["network.io.direction"] === "transmit");
    const found = packets.map(({ attributes: a, value }) => [Number(a["wirespan.netns.cookie"]), value]);
    const own = found.filter(([cookie]) => truth.has(cookie as number));
    assert.deepEqual(
      new Map(own as [number, number][]),
      mapped(truth, ({ packets }) => packets),
    );
    assert.equal(own.length, 60);

    const spans = watched.spans.filter(({ attributes: a }) =>
      truth.has(a["wirespan.netns.cookie"] as number),
    );
    const ends = Map.groupBy(spans, ({ attributes: a }) => a["wirespan.netns.cookie"] as number);
    assert.deepEqual(
      new Map([...ends].map(([cookie, all]) => [cookie, all.length / 2])),
      mapped(truth, ({ connections }) => connections),
    );
    for (const [cookie, { inode, name }] of truth) {
      for (const { attributes } of ends.get(cookie)!)
        assert.deepEqual(namespaceOf(attributes), [cookie, inode, name]);
    }
    const listeners = watched.events.filter(({ name }) => name === "wirespan.socket.listener.end");
    const ended = listeners.map(({ attributes }) => attributes["wirespan.netns.cookie"] as number);
    assert.equal(new Set(ended.filter((cookie) => truth.has(cookie))).size, 60);
  });
});

function mapped<T>(truth: ReadonlyMap<number, Truth>, of: (one: Truth) => T): Map<number, T> {
  return new Map([...truth].map(([cookie, one]) => [cookie, of(one)]));
}
