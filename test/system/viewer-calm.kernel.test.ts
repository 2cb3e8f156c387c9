// Normal traffic of real servers and their own clients causes no findings.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  postgresEnvironment,
  postgresFolder,
  redisCommand,
  startPostgres,
  startRedis,
} from "../../correlate/node/test/servers.ts";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { size } from "../support/long.ts";
import { needsRoot } from "../support/netns.ts";
import { findNginx, Nginx } from "../support/nginx.ts";
import { skip } from "../support/skip.ts";
import type { Finding } from "../support/staged.ts";
import { addresses, pair } from "../support/topology.ts";
import { until } from "../support/until.ts";

/** Seconds that are evaluated. */
const SECONDS = size(21, 600);

const PORTS = { web: 80, redis: 6379, postgres: 5432 } as const;

interface Edge {
  readonly port: number;
  readonly counts: Readonly<Record<string, number>>;
}

describe("normal traffic of nginx, Redis and PostgreSQL", function () {
  this.timeout(SECONDS * 1000 + 120_000);
  let programs: string;
  let redis: NonNullable<ReturnType<typeof redisCommand>>;

  before(function () {
    needsRoot(this);
    const folder = postgresFolder() ?? skip(this, "no PostgreSQL's server programs on this machine");
    // Its own clients are in the same folder, unless it is found through a link.
    programs = dirname(realpathSync(join(folder, "postgres")));
    redis = redisCommand() ?? skip(this, "no Redis on this machine");
    if (findNginx() === undefined) skip(this, "no nginx on this machine");
  });

  it(`raises no finding in ${SECONDS} s`, async () => {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await pair());
    const folder = mkdtempSync(join(tmpdir(), "wirespan-calm-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    chmodSync(folder, 0o755);
    const file = join(folder, "viewer.db");
    const place = (port: number) => ({ netns: net.b.path, address: "0.0.0.0", port });
    stack.use(await Nginx.start(net.b, PORTS.web));
    stack.use(await startRedis(redis, place(PORTS.redis)));
    stack.use(await startPostgres(programs, place(PORTS.postgres)));
    const pgbench = [join(programs, "pgbench"), "-h", addresses.b, "-U", "wirespan"];
    const postgres = postgresEnvironment(programs);
    const libraries = `LD_LIBRARY_PATH=${postgres.LD_LIBRARY_PATH ?? ""}`;
    await net.a.run("env", libraries, ...pgbench, "-q", "-i", "-s", "1", "postgres");
    const agent = stack.use(
      await startAgent([], {
        config: `
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(net.a)}", "${inodeOf(net.b)}"] } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${file}" }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
      }),
    );
    const url = await until("the page's address", () =>
      agent.stderr.map((line) => /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0]).find((one) => one),
    );
    const ask = async <T>(path: string) => (await (await fetch(new URL(path, url))).json()) as T;

    const clients: ChildProcess[] = [];
    const client = (service: string, command: readonly string[], env = {}) => {
      const [program = "", ...words] = command;
      const options = {
        env: { ...process.env, ...env, OTEL_SERVICE_NAME: service },
        stdio: "ignore",
      } as const;
      clients.push(net.a.spawn(program, words, options));
    };
    const visits = fileURLToPath(new URL("../apps/visits.mjs", import.meta.url));
    const seconds = ["-T", String(SECONDS), "-n"];
    client("browsers", [process.execPath, visits, `http://${addresses.b}:${PORTS.web}/`, "20"]);
    client("shop", [...pgbench, ...seconds, "-c", "4", "-R", "20", "postgres"], postgres);
    client("reports", [...pgbench, ...seconds, "-C", "-S", "-R", "5", "postgres"], postgres);
    const ofRedis = join(dirname(redis.program), "redis-benchmark");
    const some = `${ofRedis} -h ${addresses.b} -c 3 -n 300 -t get,set,incr -q`;
    client("cache", ["sh", "-c", `while ${some}; do sleep 2; done`], redis.env);

    const end = performance.now() + SECONDS * 1000;
    const looks: Finding[] = [];
    while (performance.now() < end) {
      const { findings } = await ask<{ findings: readonly Finding[] }>("/api/v1/findings");
      looks.push(...findings);
      await sleep(1000);
    }
    const { edges } = await ask<{ edges: readonly Edge[] }>(`/api/v1/topology?last=${SECONDS + 60}`);
    for (const [name, port] of Object.entries(PORTS)) {
      const connections = edges.filter((edge) => edge.port === port).map(({ counts }) => counts.connections!);
      assert.ok(connections.reduce((sum, n) => sum + n, 0) >= SECONDS, `${name}: ${connections}`);
    }
    for (const one of clients) one.kill();
    assert.equal((await agent.stop()).code, 0);
    using db = new DatabaseSync(file, { readOnly: true });
    const all = db.prepare("SELECT finding FROM finding").all();
    const raised = all.map(({ finding }) => JSON.parse(String(finding)) as Finding);
    // If the kernel does not show every event, the agent has a finding about that.
    const isUnseen = ({ subject }: Finding) => subject === "wirespan (unseen)" && agent.unseen > 0;
    assert.deepEqual(
      [...raised, ...looks].filter((finding) => !isUnseen(finding)),
      [],
    );
  });
});
