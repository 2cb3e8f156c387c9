import assert from "node:assert/strict";
import { skip } from "../../../test/support/skip.ts";
import { run } from "./app.ts";
import { installed, versions } from "./nodes.ts";
import { postgresFolder, redisCommand, type Server, startPostgres, startRedis } from "./servers.ts";

interface Tally {
  readonly keys: number;
  readonly right: number;
  readonly none: number;
  readonly extra: number;
  readonly ended: number;
  readonly failures: number;
}

const NO_DRIVERS = "no drivers: npm ci in correlate/node was not run";

describe("correlate/node: databases", () => {
  let postgres: Server | undefined;
  let redis: Server | undefined;
  before(async () => {
    if (!installed("pg")) return;
    const programs = postgresFolder();
    const command = redisCommand();
    [postgres, redis] = await Promise.all(
      [programs && startPostgres(programs), command && startRedis(command)].map(
        async (server) => (await server) || undefined,
      ),
    );
  });
  after(async () => {
    await postgres?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });

  for (const { major, program, missing } of versions) {
    const rows: readonly [driver: string, commands: number, concurrency: number][] = [
      ["pg pool", 200, 8],
      ["pg client", 200, 8],
      ["pg checked out", 200, 8],
      ["pg client, after bad ones", 200, 8],
      ["pg cursor", 40, 1],
      ["pg 8.11 client", 200, 8],
      ["node-redis", 203, 7],
      ["node-redis", 50, 1],
      ["node-redis early", 7, 7],
      ["node-redis multi", 203, 7],
      ["ioredis", 200, 8],
      ["ioredis 5", 200, 8],
      ["ioredis early", 7, 7],
      ["ioredis pipeline", 200, 8],
    ];
    // The middle version only runs the main cases.
    const some = rows.filter(([driver]) => major !== 22 || !/[ ,]/.test(driver) || driver === "pg pool");
    for (const [driver, commands, concurrency] of some) {
      it(`Node ${major}: each of ${commands} commands of ${driver}, ${concurrency} at once, is labelled with its own span`, async function () {
        if (!program) skip(this, missing);
        if (!installed("pg")) skip(this, NO_DRIVERS);
        const server = driver.startsWith("pg") ? postgres : redis;
        if (!server) skip(this, `no ${driver.startsWith("pg") ? "PostgreSQL" : "Redis"} on this machine`);
        const { keys, right, extra, failures } = await run<Tally>(program, "databases.js", [
          driver,
          server.port,
          commands,
          concurrency,
        ]);
        assert.deepEqual(
          { keys, right, extra, failures },
          { keys: commands, right: commands, extra: 0, failures: 0 },
        );
      });
    }

    it(`Node ${major}: with automatic pipelining, commands of ioredis get no label, not even the previous one's`, async function () {
      if (!program) skip(this, missing);
      if (!installed("pg")) skip(this, NO_DRIVERS);
      if (!redis) skip(this, "no Redis on this machine");
      const alone = await run<Tally>(program, "databases.js", ["ioredis automatic", redis.port, 200, 8]);
      assert.deepEqual(
        { keys: alone.keys, right: alone.right, none: alone.none, extra: alone.extra },
        { keys: 200, right: 0, none: 200, extra: 0 },
      );
      const others = ["ioredis automatic, between others", redis.port, 50, 1];
      const between = await run<Tally>(program, "databases.js", others);
      assert.deepEqual(
        { keys: between.keys, none: between.none, ended: between.ended },
        { keys: 50, none: 50, ended: 50 },
      );
    });
  }
});
