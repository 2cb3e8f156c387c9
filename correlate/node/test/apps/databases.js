// databases.js DRIVER PORT COMMANDS CONCURRENCY: commands, each in its own span, whose id is part of its bytes.
// Prints what the table said at each send.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "../../register.js";
import { inSpan } from "./active.js";
import { context } from "./context.js";
import { tally, watchSends } from "./sends.js";

const [, , driver = "", port = "0", commands = "0", concurrency = "1"] = process.argv;
// Packages that not every clone has installed have no types.
const load = createRequire(import.meta.url);
const esm = "pg";
watchSends();

/** @typedef {(key: string) => Promise<unknown>} Command */

/** @type {Record<string, () => Promise<Command>>} */
const drivers = {
  async "pg pool"() {
    const { default: pg } = await import(esm);
    const pool = new pg.Pool({ ...database(), max: 4 });
    await pool.query("select 1");
    return (key) => pool.query("select $1::text", [key]);
  },
  async "pg client"() {
    const { Client } = load("pg");
    const client = new Client(database());
    await client.connect();
    return (key) => client.query(`select '${key}'`);
  },
  async "pg checked out"() {
    const { Pool } = load("pg");
    const pool = new Pool({ ...database(), max: 4 });
    return async (key) => {
      const client = await pool.connect();
      try {
        await client.query("select $1::text", [key]);
      } finally {
        client.release();
      }
    };
  },
  async "pg 8.11 client"() {
    const { Client } = older("pg", "pg-8.11");
    const client = new Client(database());
    await client.connect();
    return (key) => client.query(`select '${key}'`);
  },
  async "pg cursor"() {
    const { Client } = load("pg");
    const Cursor = load("pg-cursor");
    const client = new Client(database());
    await client.connect();
    return async (key) => {
      const cursor = client.query(new Cursor(`select '${key}'`));
      await cursor.read(5);
      await cursor.close();
    };
  },
  // A query that cannot be submitted has no effect on the next one.
  async "pg client, after bad ones"() {
    const { Client } = load("pg");
    const client = new Client(database());
    await client.connect();
    return async (key) => {
      const bad = inSpan(context(), () => client.query({ text: "select 1", values: 7 }));
      await bad.catch(() => {});
      await client.query(`select '${key}'`);
    };
  },
  async "node-redis"() {
    const { createClient } = load("@redis/client");
    const client = await createClient({ socket: { host: "127.0.0.1", port: Number(port) } }).connect();
    return (key) => client.get(key);
  },
  async "node-redis early"() {
    const { createClient } = load("@redis/client");
    const client = createClient({ socket: { host: "127.0.0.1", port: Number(port) } });
    client.connect();
    return (key) => client.get(key);
  },
  async "node-redis multi"() {
    const { createClient } = load("@redis/client");
    const client = await createClient({ socket: { host: "127.0.0.1", port: Number(port) } }).connect();
    return (key) => client.multi().set(key, "1").get(key).exec();
  },
  async ioredis() {
    return redis({}).then((client) => (key) => client.get(key));
  },
  async "ioredis 5"() {
    const client = new (older("ioredis", "ioredis-5"))(Number(port), "127.0.0.1");
    await client.ping();
    return (key) => client.get(key);
  },
  async "ioredis early"() {
    const Redis = load("ioredis");
    const client = new Redis(Number(port), "127.0.0.1");
    return (key) => client.get(key);
  },
  async "ioredis pipeline"() {
    return redis({}).then((client) => (key) => client.pipeline().set(key, "1").get(key).exec());
  },
  // CLIENT is never sent automatically: its context must not continue.
  async "ioredis automatic, between others"() {
    const client = await redis({ enableAutoPipelining: true });
    return async (key) => {
      await client.client("ID");
      await client.get(key);
    };
  },
  async "ioredis automatic"() {
    return redis({ enableAutoPipelining: true }).then((client) => (key) => client.get(key));
  },
};

/**
 * Loads a version that is installed under another name, as if it had the original name.
 * @param {string} name
 * @param {string} installed
 */
function older(name, installed) {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-older-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(
      join(import.meta.dirname, "../../node_modules", installed),
      join(folder, "node_modules", name),
    );
    return createRequire(join(folder, "x.js"))(name);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function database() {
  return { host: "127.0.0.1", port: Number(port), user: "wirespan", database: "postgres" };
}

/** @param {object} options */
async function redis(options) {
  const Redis = load("ioredis");
  const client = new Redis(Number(port), "127.0.0.1", options);
  await client.ping();
  return client;
}

const make = drivers[driver];
if (!make) throw new Error(`no driver ${driver}`);
const command = await make();
tally();
await Promise.all(
  Array.from({ length: Number(concurrency) }, async () => {
    for (let i = 0; i < Number(commands) / Number(concurrency); i++) {
      const traceparent = context();
      await inSpan(traceparent, () => command(`k${traceparent.slice(36, 52)}`));
    }
  }),
);
console.log(JSON.stringify({ ...tally(), failures: status().failures, last: String(status().lastFailure) }));
process.exit(0);
