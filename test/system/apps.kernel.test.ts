import assert from "node:assert/strict";
import { exchange, type Language, missing } from "../support/apps.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";

const pairs: readonly (readonly [client: Language, server: Language])[] = [
  ["node", "node"],
  ["python", "python"],
  ["go", "go"],
  ["node", "go"],
];

describe("applications", () => {
  before(function () {
    needsRoot(this);
  });

  for (const [client, server] of pairs) {
    for (const address of ["127.0.0.1", "::1"]) {
      it(`${client} to ${server} at ${address}: both count the same bytes`, async function () {
        const why = missing(client) ?? missing(server);
        if (why) skip(this, why);
        await using netns = await Netns.create();
        const ends = await exchange(netns, { client, server }, { address });
        assert.deepEqual([ends.client.app, ends.server.app], [client, server]);
        assert.notEqual(ends.client.pid, ends.server.pid);
        assert.deepEqual(
          [ends.client.local, ends.client.localPort, ends.client.remote, ends.client.remotePort],
          [ends.server.remote, ends.server.remotePort, ends.server.local, ends.server.localPort],
        );
        assert.equal(ends.client.local, address);
        assert.ok(ends.client.sent > 1000 && ends.client.received > 500);
        assert.deepEqual([ends.client.sent, ends.client.received], [ends.server.received, ends.server.sent]);
      });
    }
  }
});
