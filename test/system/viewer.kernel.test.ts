// The page in a real browser, with real traffic and real faults.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Browser, Page } from "puppeteer-core";
import type { Agent as AgentAnswer } from "../../store/agent-answers.ts";
import type { Heat, Host, Stacks, Topology } from "../../store/answers.ts";
import { type Agent, MAIN, startAgent } from "../support/agent.ts";
import { openBrowser } from "../support/browser.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { end, Netns, needsRoot } from "../support/netns.ts";
import { type Counts, type Finding, Staged } from "../support/staged.ts";
import { until } from "../support/until.ts";

const SCREENS = [
  "/",
  "/connections",
  "/connections?of=open",
  "/latency",
  "/topology",
  "/losses",
  "/listeners",
  "/host",
  "/agent",
];

/** A connection with 1,000 unread bytes. */
const UNREAD = `
import socket, sys
listener = socket.create_server(("127.0.0.1", 9007))
client = socket.create_connection(("127.0.0.1", 9007))
server = listener.accept()[0]
client.sendall(b"x" * 1000)
print("ready", flush=True)
sys.stdin.read()
`;

describe("the page", () => {
  let folder: string;
  let netns: Netns;
  let agent: Agent;
  let url: string;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const staged: Staged[] = [];
  const made: Record<string, Counts> = {};

  const ask = async <T>(path: string): Promise<T> =>
    (await (await fetch(new URL(`/api/v1/${path}`, url))).json()) as T;

  before(async function () {
    needsRoot(this);
    browser = await openBrowser(this);
    folder = await mkdtemp(join(tmpdir(), "wirespan-viewer-"));
    await chmod(folder, 0o755);
    netns = await Netns.create();
    agent = await startAgent([], {
      config: `
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 2s }
plugins: { softirqs: { perCpu: true }, tcpdrop: { stacks: true } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db", receive: true, recordOn: [finding] }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
    });
    url = await until("the page's address", async () => {
      const { stdout } = await wirespan("view").catch(() => ({ stdout: "" }));
      return stdout.trim() || undefined;
    });
    const start = async (...args: [service: string, ...args: string[]]) => {
      const one = await Staged.start(netns, ...args);
      staged.push(one);
      return one;
    };
    await start("shop", "serve", "9001");
    const payments = await start("payments", "serve", "9002", "backlog", "2");
    await start("api", "serve", "9003", "reset");
    // It listens, and never accepts again.
    payments.child.kill("SIGSTOP");
    const clients = {
      web: await start("web", "ask", "127.0.0.1", "9001", "20"),
      cart: await start("cart", "ask", "127.0.0.1", "9999", "10"),
      checkout: await start("checkout", "ask", "127.0.0.1", "9002", "5"),
      mobile: await start("mobile", "ask", "127.0.0.1", "9003", "10"),
    };
    const begun = performance.now();
    await until(
      "the faults to be found",
      async () => {
        const rules = new Set((await found()).map(({ rule }) => rule));
        return FAULTS.every((rule) => rules.has(rule));
      },
      60_000,
    );
    assert.ok(performance.now() - begun < 45_000, "they are found within seconds");
    // A picture should show more than a moment.
    if (process.env.PICTURES) await sleep(150_000);
    for (const [service, client] of Object.entries(clients)) made[service] = await client.counts();
    page = await browser.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.setViewport({ width: 1440, height: 900 });
  });
  after(async () => {
    for (const one of staged) await one.end();
    await browser?.close();
    await agent?.[Symbol.asyncDispose]();
    await netns?.[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true });
  });

  const FAULTS = ["connects-fail", "accept-queue-full", "connections-reset"];
  const found = async () =>
    (await ask<{ findings: readonly Finding[] }>("findings")).findings.filter(({ rule }) =>
      FAULTS.includes(rule),
    );
  const wirespan = (...args: string[]) =>
    promisify(execFile)(process.execPath, [MAIN, ...args, "--socket", `${folder}/control.sock`]);
  const show = async (path: string) => {
    await page.goto(new URL(path, url).href, { waitUntil: "domcontentloaded" });
    await page.waitForSelector("main");
    await page.waitForFunction("!document.body.innerText.includes('Loading…')", { timeout: 20_000 });
  };
  const text = () => page.evaluate("document.body.innerText") as Promise<string>;

  it("looks as in the guides", async () => {
    const folderOfPictures = process.env.PICTURES;
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await page.setViewport({ width: 1440, height: 900 });
    for (const [name, path] of [
      ["overview", "/"],
      ["topology", "/topology"],
      ["losses", "/losses?reason=NO_SOCKET"],
      ["host", "/host"],
    ] as const) {
      await show(path);
      await page.waitForSelector(".panel svg");
      const picture = await page.screenshot(
        folderOfPictures ? { path: join(folderOfPictures, `${name}.png`) } : {},
      );
      assert.ok(picture.length > 20_000, `${name}: ${picture.length} bytes`);
    }
  });

  it("lists each fault first, with its subject and its number", async () => {
    const all = await ask<{ findings: readonly Finding[] }>("findings");
    const subjects = Object.fromEntries((await found()).map(({ rule, subject }) => [rule, subject]));
    assert.equal(subjects["connects-fail"], "cart → 127.0.0.1:9999 (connection_refused)");
    assert.equal(subjects["accept-queue-full"], "payments:9002");
    assert.match(subjects["connections-reset"]!, /mobile → 127\.0\.0\.1:9003|127\.0\.0\.1 → api:9003/);
    const calm = all.findings.filter(({ subject }) => /web|shop/.test(subject));
    assert.deepEqual(calm, []);
    const first = all.findings.slice(0, 4).map(({ rule }) => rule);
    for (const rule of FAULTS) assert.ok(first.includes(rule), `${rule} is among the first: ${first}`);
    await show("/");
    const shown = await text();
    for (const finding of await found()) assert.ok(shown.includes(finding.text.slice(-30)), finding.text);
  });

  it("shows the same findings as wirespan findings prints", async () => {
    const { stdout } = await wirespan("findings");
    assert.match(
      stdout,
      /failing, since \d\d:\d\d:\d\d: \d+ of \d+ attempts cart → 127\.0\.0\.1:9999 failed/,
    );
  });

  it("exports findings as events", async () => {
    const rows = await agent.until((all) => all.some(({ name }) => name === "wirespan.finding"));
    assert.ok(rows.length > 0);
  });

  it("shows the processes' own counts", async () => {
    interface Edge {
      readonly from: string;
      readonly to: string;
      readonly port: number;
      readonly counts: Readonly<Record<string, number>>;
      readonly causes: Readonly<Record<string, number>>;
    }
    const edge = async (service: string) => {
      const { edges } = await ask<{ edges: readonly Edge[] }>("topology?last=600");
      const found = edges.find(({ from }) => from === service);
      assert.ok(found, `${service} in ${JSON.stringify(edges)}`);
      return found;
    };
    await until(
      "all to be reported",
      async () => (await edge("web")).counts.connections === made.web!.attempts,
    );
    const cart = await edge("cart");
    assert.equal(cart.causes.connection_refused, made.cart!.attempts);
    assert.equal(made.cart!.failed, made.cart!.attempts);
    assert.equal((await edge("checkout")).to, "payments", "which has never accepted");
    const mobile = await edge("mobile");
    assert.deepEqual(
      [mobile.counts.connections, mobile.counts.resets],
      [made.mobile!.attempts, made.mobile!.reset],
    );
    await show("/topology?view=table&last=600");
    const shown = await text();
    assert.match(shown, new RegExp(`cart.*:9999[^\\n]*\\t${made.cart!.attempts}\\b`));
  });

  it("counts each state that a socket left", async () => {
    const path = "of=state&only=established&q=service:web&last=600";
    const { attempts } = made.web!;
    await until(
      "the states to be collected",
      async () => (await ask<Heat>(`heat?${path}`)).total === attempts,
    );
    await show(`/latency?${path}`);
    assert.match(await text(), new RegExp(`\\bn\\s+${attempts}\\b`));
  });

  it("shows where in the kernel packets were dropped", async () => {
    await show("/losses?reason=NO_SOCKET&last=600");
    const functions = (await page.$$eval(".frame", (frames) =>
      frames.map(({ textContent }) => textContent),
    )) as string[];
    assert.deepEqual([functions[0], functions.at(-1)], ["net_rx_action", "tcp_v4_rcv"]);
    const { total, lines } = await ask<Stacks>("stacks?reason=NO_SOCKET&last=600");
    assert.ok(total > 0 && lines.every(({ count }) => count === total), "all drops have one stack");
  });

  it("draws each CPU's time in softirqs, and how late they start there", async () => {
    await show("/host?last=600");
    const label = (await page.$eval("svg[aria-label^='Time in softirqs by CPU, net_rx']", (svg) =>
      svg.getAttribute("aria-label"),
    )) as string;
    const named = [...label.matchAll(/CPU (\d+) at most/g)].map(([, cpu]) => Number(cpu));
    const { softirqs } = await ask<Host>("host?last=600");
    const ran = softirqs.filter(({ vector }) => vector === "net_rx").map(({ cpu }) => cpu!);
    assert.deepEqual(
      named,
      ran.sort((a, b) => b - a),
    );
    assert.match(await text(), /net_rx on CPU \d+, the busiest/);
  });

  it("shows what doctor reports about each hook", async () => {
    await show("/agent");
    await page.$$eval("details", (all) => {
      for (const one of all) one.setAttribute("open", "");
    });
    const shown = await text();
    for (const hook of ["tp_btf/inet_sock_set_state", "tp_btf/kfree_skb"])
      assert.ok(shown.includes(hook), hook);
    const { state } = await ask<AgentAnswer>("agent");
    const missing = state!.hooks!.filter(({ at }) => at === undefined).length;
    assert.match(shown, new RegExp(`${missing} missing, \\d+ fallbacks`));
  });

  it("can be used with only the keyboard", async () => {
    await show("/");
    const path = () => page.evaluate("location.pathname") as Promise<string>;
    for (const [key, to] of [
      ["t", "/topology"],
      ["d", "/losses"],
      ["q", "/listeners"],
      ["s", "/host"],
      ["a", "/agent"],
      ["l", "/latency"],
      ["c", "/connections"],
    ] as const) {
      await page.keyboard.press(key);
      assert.equal(await path(), to, key);
    }
    await page.waitForSelector("tbody tr");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".waterfall");
    assert.match(await path(), /^\/c\/[0-9a-f]{32}$/);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    await page.keyboard.press("Escape");
    await page.waitForFunction("document.querySelector('dialog') === null");
    await page.keyboard.press("/");
    await page.keyboard.type("service:cart\n");
    await page.waitForSelector(".chip");
    assert.equal(await page.evaluate("new URLSearchParams(location.search).get('q')"), "service:cart");
    await show("/connections?q=service:web");
    await page.focus("tbody button.value");
    await page.keyboard.press("x");
    assert.equal(
      await page.evaluate("new URLSearchParams(location.search).get('q')"),
      "service:web not service:web",
    );
    await show("/topology");
    await page.keyboard.press("v");
    assert.equal(await page.evaluate("new URLSearchParams(location.search).get('view')"), "table");
    await page.evaluate(`document.addEventListener("click", (event) => {
      window.exported = event.target.getAttribute("href");
      event.preventDefault();
    }, { once: true })`);
    await page.keyboard.press("e");
    assert.match((await page.evaluate("window.exported")) as string, /^\/api\/v1\/export\?from=/);
  });

  it("lists open connections as their process opened them", async () => {
    const child = netns.spawn("python3", ["-c", UNREAD], {
      env: { ...process.env, OTEL_SERVICE_NAME: "holder" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(createInterface(child.stdout!), "line");
    await show("/connections?of=open&q=service:holder");
    await page.waitForFunction("document.querySelectorAll('tbody tr').length === 2");
    const rows = (await page.evaluate(
      "[...document.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText))",
    )) as string[][];
    // Direction, peer, port, state, out, in, not acknowledged, not read.
    assert.deepEqual(rows.map((cells) => cells.slice(3, 11)).sort(), [
      ["←", "127.0.0.1", "9007", "established", "0 B", "1 kB", "0 B", "1 kB"],
      ["→", "127.0.0.1", "9007", "established", "1 kB", "0 B", "0 B", "0 B"],
    ]);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".waterfall");
    assert.match(await text(), /tcp connect/);
    await end(child);
  });

  it("shows an application's own spans with the kernel's, in one waterfall", async () => {
    const { rows } = await ask<{ rows: readonly { trace: string }[] }>("connections?last=600&q=service:web");
    const { trace = "" } = rows[0] ?? {};
    const now = Date.now();
    const span = {
      ...{ traceId: trace, spanId: "00000000000000aa", name: "GET /orders", kind: 3 },
      ...{ startTimeUnixNano: `${now - 60_000}000000`, endTimeUnixNano: `${now}000000` },
    };
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    const headers = { "content-type": "application/json" };
    // Node's fetch sends no Sec-Fetch-Site.
    const answer = await promisify(execFile)("/usr/bin/env", [
      ...[
        "curl",
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        `content-type: ${headers["content-type"]}`,
      ],
      ...["-d", body, new URL("/v1/traces", url).href],
    ]);
    assert.equal(answer.stdout, "200");
    await show(`/c/${trace}`);
    const shown = await text();
    assert.match(shown, /GET \/orders/);
    assert.match(shown, /tcp connection/);
  });

  it("passes axe-core on every screen, light and dark", async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const { rows } = await ask<{ rows: readonly { trace: string }[] }>("connections?last=600");
    const objections: string[] = [];
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      for (const screen of [...SCREENS, `/c/${rows[0]?.trace}`]) {
        await show(screen);
        await page.evaluate(axe);
        const { violations } = (await page.evaluate("axe.run()")) as {
          violations: readonly { id: string; nodes: readonly { html: string; failureSummary: string }[] }[];
        };
        for (const { id, nodes } of violations)
          objections.push(
            `${theme} ${screen}: ${id}: ${nodes[0]?.html.slice(0, 200)} ${nodes[0]?.failureSummary}`,
          );
      }
    }
    assert.deepEqual(objections, []);
  });

  it("fits into 1024 pixels, and into half of 1440 at 200 % zoom, without a horizontal scroll bar", async () => {
    const tooWide: string[] = [];
    for (const screen of SCREENS) {
      await page.setViewport({ width: 1024, height: 768 });
      await show(screen);
      for (const width of [1024, 720]) {
        await page.setViewport({ width, height: 450 });
        // Pictures are drawn again once the page has found their new width.
        await page
          .waitForFunction("document.documentElement.scrollWidth <= innerWidth", { timeout: 5000 })
          .catch(() => tooWide.push(`${screen} at ${width}`));
      }
    }
    assert.deepEqual(tooWide, []);
  });

  it("can be recorded, and shown again without the agent", async () => {
    const file = join(folder, "recording.db");
    const config = `${folder}/record.yaml`;
    const { writeFile } = await import("node:fs/promises");
    await writeFile(config, `viewer: { file: "${folder}/viewer.db" }`);
    const run = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);
    await run("record", file, "--config", config);
    const { openRecording } = await import("../../store/recording.ts");
    const { Api } = await import("../../store/http/api.ts");
    using recording = openRecording(file);
    const { body } = await new Api(recording).answer("topology", new URLSearchParams("last=1800"));
    const { edges } = body as { edges: readonly { from: string; counts: Record<string, number> }[] };
    assert.equal(edges.find(({ from }) => from === "cart")?.counts.failed, made.cart!.attempts);
    await assert.rejects(run("record", file, "--config", config), /already exists; name another file/);
    const anonymous = join(folder, "anonymous.db");
    await run("record", anonymous, "--config", config, "--anonymise");
    using hidden = openRecording(anonymous);
    const { body: map } = await new Api(hidden).answer("topology", new URLSearchParams("last=1800"));
    const failures = (map as Topology).edges.map(({ counts }) => counts.failed);
    assert.ok(failures.includes(made.cart!.attempts), "the numbers are the same");
    const bytes = readFileSync(anonymous, "latin1");
    assert.deepEqual(
      ["cart", "checkout", "payments"].filter((name) => bytes.includes(name)),
      [],
    );
  });

  it("was recorded when the first fault was found", async () => {
    const [file, ...more] = (await readdir(folder)).filter((name) => /^finding-.*\.db$/.test(name));
    assert.deepEqual(more, []);
    const { openRecording } = await import("../../store/recording.ts");
    using recording = openRecording(join(folder, file!));
    assert.ok(recording.findings.raised.length > 0);
  });

  it("logged no error on the browser's console", () => {
    assert.deepEqual(problems, []);
  });
});
