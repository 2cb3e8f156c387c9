// CPU and memory that the page uses, in the agent and in its store, while the page is closed and open.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, Page } from "puppeteer-core";
import { type Agent, startAgent } from "../test/support/agent.ts";
import { launchBrowser } from "../test/support/browser.ts";
import type { Netns } from "../test/support/netns.ts";
import { until } from "../test/support/until.ts";
import { run } from "../test/support/workload.ts";
import { cpuOf } from "./agent-cpu.ts";
import { asStarted } from "./bundled.ts";
import { STORM_CPU } from "./contenders.ts";
import { median, type Row } from "./figures.ts";
import { memoryOf } from "./footprint.ts";

/** Connections per second, and duration in seconds. */
const RATE = 1000;
const SECONDS = 10;
/** Connections in the list that the browser has to paint. */
const MANY = 100_000;

const FILTERS = [
  "process:psrv",
  "port:7000",
  "life>1ms",
  "not peer:127.0.0.0/8",
  "rtt>50us sent>0",
  "ended:fin_*",
];

/** Pids of the agent and its store. */
function processes({ pid }: Agent): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").map(Number))];
}

const sum = (agent: Agent, of: (pid: number) => number): number =>
  processes(agent).reduce((total, pid) => total + of(pid), 0);

function pageOf(agent: Agent): Promise<string> {
  return until("the page", () => {
    const all = agent.stderr.map((line) => /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0]);
    return all.find((url) => url !== undefined);
  });
}

/** Three agents observe the same connections at the same time: without the page, with it closed, and with it open. */
export async function viewerRows(netns: Netns, rounds: number): Promise<Row[]> {
  const { ino } = statSync(netns.path);
  const folder = mkdtempSync(join(tmpdir(), "wirespan-bench-"));
  const backend = fork(join(import.meta.dirname, "otlp-discard.ts"));
  const browser = await launchBrowser();
  try {
    const [port] = (await once(backend, "message")) as [number];
    const start = (name: string, enabled: boolean) =>
      startAgent([], {
        ...asStarted,
        config: `version: 1
control: { socket: "${folder}/${name}.sock" }
filter: { include: { netns: ["${ino}"], direction: [outbound] } }
viewer: { enabled: ${enabled}, address: "127.0.0.1:0", file: "${folder}/${name}.db" }
exporters: { bench: { type: otlp_grpc, endpoint: "http://127.0.0.1:${port}", compression: none } }
`,
      });
    await using without = await start("without", false);
    await using closed = await start("closed", true);
    await using open = await start("open", true);
    const url = await pageOf(open);
    const page = await browser?.newPage();
    await page?.goto(url);
    const agents = [without, closed, open];
    /** CPU use of each in percent of a core, while the connections are made and for 2 s afterwards. */
    const round = async () => {
      const before = agents.map((agent) => sum(agent, cpuOf));
      const begun = performance.now();
      await run(netns, "paced", { rate: RATE, seconds: SECONDS, cpu: STORM_CPU });
      await sleep(2000);
      const passed = (performance.now() - begun) * 1000;
      return agents.map((agent, i) => ((sum(agent, cpuOf) - before[i]!) / passed) * 100);
    };
    await round();
    const figures: number[][] = [];
    for (let i = 0; i < rounds; i++) figures.push(await round());
    const of = (i: number) => figures.map((one) => one[i]!);
    const more = (i: number) => figures.map((one) => one[i]! - one[0]!);
    const memory = (kind: "Anonymous" | "Pss") => sum(closed, (pid) => memoryOf(pid, kind));
    const anonymous = memory("Anonymous");
    const cpu = (what: string, i: number): Row => ({
      measure: `CPU of agent and store with the page ${what}, above an agent without it; ${RATE}/s, one end`,
      unit: "% of a core",
      ours: more(i),
      floor: { name: "without", figures: of(0) },
      peers: [],
      goal: "≤ 1",
      met: median(more(i)) <= 1,
      note: "taken at the same time, of the same connections",
    });
    return [
      cpu("closed", 1),
      ...(page ? [cpu("open", 2)] : []),
      {
        measure: `anonymous memory of agent and store after ${RATE}/s`,
        unit: "MB",
        ours: [anonymous],
        peers: [],
        goal: "≤ 110",
        met: anonymous <= 110,
        note: `PSS ${memory("Pss").toFixed(0)} MB`,
      },
      ...(page ? await manyRows(netns, page, url, rounds) : []),
      ...(browser ? [await startRow(browser, netns, folder, rounds)] : []),
    ];
  } finally {
    await browser?.close();
    backend.kill();
    rmSync(folder, { recursive: true });
  }
}

/** With many connections in the store: time to the first paint of their list, and to the answer to a filter. */
async function manyRows(netns: Netns, page: Page, url: string, rounds: number): Promise<Row[]> {
  const done = RATE * SECONDS * (rounds + 1);
  if (done < MANY)
    await run(netns, "paced", { rate: 5 * RATE, seconds: (MANY - done) / (5 * RATE), cpu: STORM_CPU });
  await sleep(3000);
  const paints: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await page.goto(new URL("/connections", url).href);
    await page.waitForSelector("tbody tr");
    const paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime";
    paints.push(((await page.evaluate(paint)) as number) / 1000);
  }
  const answers: number[] = [];
  for (let i = 0; i < 5; i++)
    for (const filter of FILTERS) {
      const asked = `/api/v1/connections?last=3600&q=${encodeURIComponent(filter)}`;
      const took = `(async () => { const begun = performance.now(); await (await fetch(${JSON.stringify(asked)})).json(); return performance.now() - begun; })()`;
      answers.push((await page.evaluate(took)) as number);
    }
  const p95 = answers.sort((a, b) => a - b)[Math.ceil(0.95 * answers.length) - 1]!;
  return [
    {
      measure: `first paint of the list of ${MANY / 1000},000 connections`,
      unit: "s",
      ours: paints,
      peers: [],
      goal: "≤ 1",
      met: median(paints) <= 1,
    },
    {
      measure: `a filter's answer from ${MANY / 1000},000 connections, the 95th percentile of ${answers.length}`,
      unit: "ms",
      ours: [p95],
      peers: [],
      goal: "≤ 100",
      met: p95 <= 100,
    },
  ];
}

/** Time from `npm start`, when everything is built, until a connection is visible. */
async function startRow(browser: Browser, netns: Netns, folder: string, rounds: number): Promise<Row> {
  const seconds: number[] = [];
  const config = join(folder, "start.yaml");
  writeFileSync(
    config,
    `control: { socket: "${folder}/start.sock" }
viewer: { address: "127.0.0.1:0", file: "${folder}/start.db" }
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
`,
  );
  for (let i = 0; i < rounds; i++) {
    const begun = performance.now();
    const child = spawn("sh", [join(import.meta.dirname, "../tools/run.sh"), "agent", "--config", config], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      const url = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stderr }).on("line", (line) => {
          const [found] = /http:\/\/127\.0\.0\.1:\d+\//.exec(line) ?? [];
          if (found) resolve(found);
        });
        child.once("exit", (code) => reject(new Error(`npm start ended with ${code}`)));
      });
      await run(netns, "clientCloses", { count: 5, delay: 0 });
      const page = await browser.newPage();
      await page.goto(new URL("/connections", url).href);
      await page.waitForSelector("tbody tr");
      seconds.push((performance.now() - begun) / 1000);
      await page.close();
    } finally {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
  }
  return {
    measure: "npm start, built, to the first picture with a connection",
    unit: "s",
    ours: seconds,
    peers: [],
    goal: "≤ 3",
    met: median(seconds) <= 3,
    note: "the connection's own 0.1 s and the second after which rows are sent are in it",
  };
}
