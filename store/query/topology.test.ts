import assert from "node:assert/strict";
import { ACCEPT, CONNECTION, outbound, TestStore } from "../../test/support/page.ts";
import type { Topology } from "../answers.ts";
import { Api } from "../http/api.ts";

const NOW = 1_800_000_000;

describe("the map by what is not in the sums", () => {
  let store: TestStore;

  before(() => {
    store = new TestStore({ now: () => NOW });
    const span = (trace: number, attributes: Parameters<typeof outbound>[1]) => {
      return { start: NOW - 60, duration: 1, trace, attributes: outbound(1, attributes) };
    };
    const inbound = {
      ...{ "wirespan.connection.direction": "inbound", "network.local.port": 80 },
      ...{ "network.local.address": "10.0.9.9", "network.peer.port": 40_000 },
    };
    store.spans(CONNECTION, [
      span(1, { "wirespan.netns.name": "blue", "network.peer.address": "10.0.0.7" }),
      span(2, { "wirespan.netns.name": "blue", "network.peer.address": "10.0.0.200" }),
      span(3, { "wirespan.netns.inode": 4_026_531_840, "network.peer.address": "fe80::1:2" }),
      span(4, { "wirespan.netns.inode": 4_026_531_840, "network.peer.address": "2001:db8:0:1:2:3:4:5" }),
      // Both ends of one are here.
      span(5, { "network.peer.address": "10.0.9.9", "network.peer.port": 80, "wirespan.netns.name": "blue" }),
      span(5, { ...inbound, "network.peer.address": "10.0.9.9", "wirespan.netns.name": "green" }),
    ]);
    store.spans(ACCEPT, [
      span(5, { ...inbound, "network.peer.address": "10.0.9.9", "wirespan.netns.name": "green" }),
    ]);
  });
  after(() => store[Symbol.dispose]());

  const edges = async (by: string) => {
    const { body } = await new Api(store.store).answer("topology", new URLSearchParams(`last=600&by=${by}`));
    return (body as Topology).edges
      .map(({ from, to, port, counts }) => `${from} > ${to} :${port} ${counts.connections}`)
      .sort();
  };

  it("joins network namespaces", async () => {
    assert.deepEqual(await edges("netns"), [
      "4026531840 > 2001:db8:0:1:2:3:4:5 :5432 1",
      "4026531840 > fe80::1:2 :5432 1",
      "blue > 10.0.0.200 :5432 1",
      "blue > 10.0.0.7 :5432 1",
      "blue > green :80 1",
    ]);
  });

  it("joins subnets", async () => {
    assert.deepEqual(await edges("subnet"), [
      "10.0.9.0/24 > 10.0.0.0/24 :5432 2",
      "10.0.9.0/24 > 10.0.9.0/24 :80 1",
      "10.0.9.0/24 > 2001:db8:0:1::/64 :5432 1",
      "10.0.9.0/24 > fe80::/64 :5432 1",
    ]);
  });
});
