// The live view on a real terminal: it fits, responds to its keys, and shows the workload's numbers.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import stringWidth from "string-width";
import { AGENT_FLAGS, MAIN } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { needsTmux, Terminal } from "../support/terminal.ts";
import { until } from "../support/until.ts";
import { run } from "../support/workload.ts";

const main = fileURLToPath(new URL(`../../${MAIN}`, import.meta.url));
const readme = fileURLToPath(new URL("../../README.md", import.meta.url));
/** Each sends 1,000 bytes and gets 500; both ends are here. */
const COUNT = 40;
const REFUSED = 7;

describe("live view", () => {
  let netns: Netns;
  let folder = "";
  before(async function () {
    needsRoot(this);
    await needsTmux(this);
    folder = await mkdtemp(join(tmpdir(), "wirespan-live-"));
  });
  beforeEach(async () => {
    netns = await Netns.create();
  });
  afterEach(() => netns[Symbol.asyncDispose]());
  after(() => rm(folder, { recursive: true, force: true }));

  /** The agent on a terminal, observing only the namespace. */
  async function open(columns: number, rows: number, more = ""): Promise<Terminal> {
    const config = join(folder, "wirespan.yaml");
    await writeFile(
      config,
      `control: { socket: "" }\nviewer: false\nfilter: { include: { netns: ["${inodeOf(netns)}"] } }\n${more}`,
    );
    const words = [process.execPath, ...AGENT_FLAGS, main, "--config", config];
    return await Terminal.open(words.map((word) => `'${word}'`).join(" "), columns, rows);
  }

  for (const [columns, rows] of [
    [80, 24],
    [200, 60],
  ] as const) {
    it(`fits ${columns} × ${rows}, shows what the workload did, and restores the terminal`, async () => {
      await using terminal = await open(columns, rows);
      await terminal.until(/13 plugins run/);
      await run(netns, "clientCloses", { count: COUNT });
      await run(netns, "attempt", { count: REFUSED, port: 9 });
      await terminal.until(new RegExp(`ended [\\d.]+/s, ${2 * COUNT + REFUSED} in all`));
      const [title] = (await terminal.until(/by connections/)).filter((line) => line.startsWith("PEERS"));
      assert.ok((await readFile(readme, "utf8")).includes(`\n${title!.trimEnd()}\n`), "README shows it");
      // So that totals are as in the title, and rates have decayed.
      await terminal.press("s", "s", "s", "s", "s");
      const screen = await terminal.until(/by total/);
      assert.equal(screen.length, rows);
      for (const line of screen) assert.ok(stringWidth(line) <= columns, line);
      assert.match(screen[1]!, new RegExp(`failed ${REFUSED}\\b`));
      assert.match(screen[2]!, /(Nothing lost|Lost: .*unseen.*)\. {2}13 plugins run\./);
      const at = screen.findIndex((line) => line.startsWith("PEERS"));
      const rowsOf = (name: RegExp) => screen.slice(at).filter((line) => name.test(line));
      assert.equal(rowsOf(/^pcli → 127\.0\.0\.1:\d{4,}/).length, 1);
      assert.equal(rowsOf(/^psrv:\d+ ← 127\.0\.0\.1/).length, 1);
      const [refused] = rowsOf(/^pcli → 127\.0\.0\.1:9 /);
      assert.match(refused!, new RegExp(`\\b${REFUSED}\\b`));
      assert.match(
        rowsOf(/connection_refused/)[0]!,
        new RegExp(`${REFUSED} × connection_refused {2}pcli → 127\\.0\\.0\\.1:9`),
      );
      if (columns >= 200) {
        const [client] = rowsOf(/^pcli → 127\.0\.0\.1:\d{4,}/);
        assert.match(client!, new RegExp(`\\s${COUNT}\\s.*39\\.1K\\s+19\\.5K$`), "1,000 and 500 bytes each");
      }
      await terminal.press("q");
      const after = await terminal.until(/connections ended/);
      assert.match(
        after.join("\n"),
        new RegExp(
          `^wirespan: ${2 * COUNT + REFUSED} connections ended, ${REFUSED} failed; (nothing lost|lost: .*unseen.*)\\.$`,
          "m",
        ),
      );
      assert.ok(!after.some((line) => line.includes("PEERS")), "the page is gone");
    });
  }

  it("responds to its keys (filter, pause, one tool, help) and to a new size", async () => {
    await using terminal = await open(100, 30);
    await terminal.until(/13 plugins run/);
    await run(netns, "clientCloses", { count: 3 });
    await terminal.until(/psrv:\d+ ←/);
    await terminal.press("/", "P", "C", "L", "I", "Enter");
    const filtered = await terminal.until(/only rows with "PCLI"/);
    assert.ok(filtered.some((line) => line.startsWith("pcli →")));
    assert.ok(!filtered.some((line) => line.startsWith("psrv:")));
    await terminal.press("Escape");
    await terminal.until(/^psrv:\d+ ←/m);
    await terminal.press("p");
    const paused = await terminal.until(/PAUSED/);
    await run(netns, "clientCloses", { count: 5 });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.deepEqual(await terminal.screen(), paused);
    await terminal.press("p");
    await terminal.until(/, 16 in all/);
    await terminal.press("?");
    await terminal.until(/sort by the next column/);
    await terminal.press("o", "T", "T");
    await terminal.until(/tcptop: /);
    for (let i = 0; i < 4; i++) await terminal.press("T");
    await terminal.until(/tcplife: /);
    await run(netns, "clientCloses", { count: 2 });
    const life = await terminal.until(/(?: (?:pcli|psrv) [\s\S]*?127\.0\.0\.1[\s\S]*?){4}/);
    assert.match(life[1]!, /^PID +COMM +IP LADDR/);
    assert.equal(life.filter((line) => / (pcli|psrv) /.test(line)).length, 4);
    await terminal.press("o");
    await terminal.resize(60, 12);
    const small = await terminal.until(/PEERS/);
    for (const line of small) assert.ok(stringWidth(line) <= 60, line);
  });

  it("ends when its terminal hangs up", async () => {
    const terminal = await open(80, 24);
    await terminal.until(/13 plugins run/);
    await terminal[Symbol.asyncDispose]();
    await until("the end of the agent", () => agents().length === 0);
  });

  /** Processes that were started with this test's file. */
  function agents(): readonly string[] {
    return readdirSync("/proc").filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
      } catch {
        return false; // ended a moment ago
      }
    });
  }
});
