// The page in a real browser, with real traffic and real faults: what it finds, counts, draws and records.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Page } from "puppeteer-core";
import type { Agent as AgentAnswer } from "../../store/agent-answers.ts";
import type { Heat, Host, Stacks, Topology } from "../../store/answers.ts";
import { MAIN } from "../support/agent.ts";
import { FAULTS, FaultyPage } from "../support/faulty-page.ts";
import { end } from "../support/netns.ts";
import type { Finding } from "../support/staged.ts";
import { until } from "../support/until.ts";

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
  let stage: FaultyPage;
  let page: Page;
  const show = (path: string) => stage.show(path);
  const text = () => stage.text();
  const ask = <T>(path: string) => stage.ask<T>(path);

  before(async function () {
    stage = await FaultyPage.start(this);
    page = stage.page;
  });
  after(() => stage?.[Symbol.asyncDispose]());

  it("lists each fault first, with its subject and its number", async () => {
    const all = await ask<{ findings: readonly Finding[] }>("findings");
    const subjects = Object.fromEntries((await stage.found()).map(({ rule, subject }) => [rule, subject]));
    assert.equal(subjects["connects-fail"], "cart → 127.0.0.1:9999 (connection_refused)");
    assert.equal(subjects["accept-queue-full"], "payments:9002");
    assert.match(subjects["connections-reset"]!, /mobile → 127\.0\.0\.1:9003|127\.0\.0\.1 → api:9003/);
    const calm = all.findings.filter(({ subject }) => /web|shop/.test(subject));
    assert.deepEqual(calm, []);
    const first = all.findings.slice(0, 4).map(({ rule }) => rule);
    for (const rule of FAULTS) assert.ok(first.includes(rule), `${rule} is among the first: ${first}`);
    await show("/");
    const shown = await text();
    for (const finding of await stage.found())
      assert.ok(shown.includes(finding.text.slice(-30)), finding.text);
  });

  it("shows the same findings as wirespan findings prints", async () => {
    const { stdout } = await stage.wirespan("findings");
    assert.match(
      stdout,
      /failing, since \d\d:\d\d:\d\d: \d+ of \d+ attempts cart → 127\.0\.0\.1:9999 failed/,
    );
  });

  it("exports findings as events", async () => {
    const rows = await stage.agent.until((all) => all.some(({ name }) => name === "wirespan.finding"));
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
      async () => (await edge("web")).counts.connections === stage.made.web!.attempts,
    );
    const cart = await edge("cart");
    assert.equal(cart.causes.connection_refused, stage.made.cart!.attempts);
    assert.equal(stage.made.cart!.failed, stage.made.cart!.attempts);
    assert.equal((await edge("checkout")).to, "payments", "which has never accepted");
    const mobile = await edge("mobile");
    assert.deepEqual(
      [mobile.counts.connections, mobile.counts.resets],
      [stage.made.mobile!.attempts, stage.made.mobile!.reset],
    );
    await show("/topology?view=table&last=600");
    const shown = await text();
    assert.match(shown, new RegExp(`cart.*:9999[^\\n]*\\t${stage.made.cart!.attempts}\\b`));
  });

  it("counts each state that a socket left", async () => {
    const path = "of=state&only=established&q=service:web&last=600";
    const { attempts } = stage.made.web!;
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

  it("lists open connections as their process opened them", async () => {
    const child = stage.netns.spawn("python3", ["-c", UNREAD], {
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
      ...["-d", body, new URL("/v1/traces", stage.url).href],
    ]);
    assert.equal(answer.stdout, "200");
    await show(`/c/${trace}`);
    const shown = await text();
    assert.match(shown, /GET \/orders/);
    assert.match(shown, /tcp connection/);
  });

  it("can be recorded, and shown again without the agent", async () => {
    const file = join(stage.folder, "recording.db");
    const config = `${stage.folder}/record.yaml`;
    const { writeFile } = await import("node:fs/promises");
    await writeFile(config, `viewer: { file: "${stage.folder}/viewer.db" }`);
    const run = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args]);
    await run("record", file, "--config", config);
    const { openRecording } = await import("../../store/recording.ts");
    const { Api } = await import("../../store/http/api.ts");
    using recording = openRecording(file);
    const { body } = await new Api(recording).answer("topology", new URLSearchParams("last=1800"));
    const { edges } = body as { edges: readonly { from: string; counts: Record<string, number> }[] };
    assert.equal(edges.find(({ from }) => from === "cart")?.counts.failed, stage.made.cart!.attempts);
    await assert.rejects(run("record", file, "--config", config), /already exists; name another file/);
    const anonymous = join(stage.folder, "anonymous.db");
    await run("record", anonymous, "--config", config, "--anonymise");
    using hidden = openRecording(anonymous);
    const { body: map } = await new Api(hidden).answer("topology", new URLSearchParams("last=1800"));
    const failures = (map as Topology).edges.map(({ counts }) => counts.failed);
    assert.ok(failures.includes(stage.made.cart!.attempts), "the numbers are the same");
    const bytes = readFileSync(anonymous, "latin1");
    assert.deepEqual(
      ["cart", "checkout", "payments"].filter((name) => bytes.includes(name)),
      [],
    );
  });

  it("was recorded when the first fault was found", async () => {
    const [file, ...more] = (await readdir(stage.folder)).filter((name) => /^finding-.*\.db$/.test(name));
    assert.deepEqual(more, []);
    const { openRecording } = await import("../../store/recording.ts");
    using recording = openRecording(join(stage.folder, file!));
    assert.ok(recording.findings.raised.length > 0);
  });

  it("logged no error on the browser's console", () => {
    assert.deepEqual(stage.problems, []);
  });
});
