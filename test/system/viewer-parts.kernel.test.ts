// Parts of the page in a real browser, with connections that are made here, so that every number is known.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "puppeteer-core";
import type { Finding } from "../../store/answers.ts";
import { openBrowser } from "../support/browser.ts";
import { ACCEPT, CONNECT, CONNECTION, type Made, outbound, traceId } from "../support/page.ts";
import { Served } from "../support/page-server.ts";

const REFUSED: Finding = {
  ...{ rule: "connects-fail", severity: "failing", subject: "cart → 10.0.0.2:5432 (connection_refused)" },
  ...{ text: "20 of 20 attempts cart → 10.0.0.2:5432 failed.", next: "Nothing listens there.", count: 20 },
  ...{ evidence: "/connections?of=connect&q=service%3Acart", since: Date.now() / 1000 - 60 },
};

describe("parts of the page", () => {
  let served: Served;
  let browser: Browser;
  let page: Page;

  before(async function () {
    browser = await openBrowser(this);
    served = await Served.start();
    const { store } = served;
    (store.store.findings.raised as Finding[]).push(REFUSED);
    // All in one window.
    const end = Math.floor(Date.now() / 10_000) * 10 - 5;
    const made: Made[] = [];
    for (let i = 0; i < 40; i++) {
      const sent = { "wirespan.tcp.bytes_sent": 100, "wirespan.tcp.rtt.smoothed": 0.002 };
      const attributes = outbound(1, { ...sent, "wirespan.tcp.close.reason": "fin_local" });
      const trace = 100 + i;
      made.push({ start: end - 1, duration: i < 30 ? 0.01 : 1, trace, service: "shop", attributes });
    }
    store.spans(CONNECTION, made);
    const error = "connection_refused";
    const refused = Array.from({ length: 20 }, (_, i): Made => {
      const attributes = outbound(2, { "error.type": error });
      return { start: end - 1, duration: 0.001, trace: 200 + i, service: "cart", error, attributes };
    });
    store.spans(CONNECT, refused);
    const at = JSON.stringify({ "server.port": 5432 });
    store.metrics(end, "wirespan.tcp.accept_queue.usage", "updowncounter", { [at]: 3 }, "db");
    store.metrics(end, "wirespan.tcp.accept_queue.limit", "updowncounter", { [at]: 3 }, "db");
    page = await browser.newPage();
    await page.setViewport({ width: 1440, height: 900 });
  });
  after(async () => {
    await browser?.close();
    served?.[Symbol.dispose]();
  });

  const show = async (path: string) => {
    await page.goto(`http://127.0.0.1:${served.port}${path}`, { waitUntil: "domcontentloaded" });
    await page.waitForSelector("main");
    await page.waitForFunction("!document.body.innerText.includes('Loading…')", { timeout: 20_000 });
  };
  const rowsOf = async (label: string) => {
    const table = `[aria-label="${label}"] tbody tr`;
    await page.waitForSelector(table);
    return (await page.evaluate(
      `[...document.querySelectorAll('${table}')].map((row) => [...row.cells].map((cell) => cell.innerText.trim()))`,
    )) as string[][];
  };
  /** Puppeteer's own type does not accept SVG. */
  const focus = (selector: string) => page.evaluate(`document.querySelector("${selector}").focus()`);
  const parameter = (name: string) =>
    page.evaluate(`new URLSearchParams(location.search).get('${name}')`) as Promise<string | null>;

  it("groups connections by a field, and opens those of a value", async () => {
    await show("/connections?last=600");
    await page.select("select[aria-label='Group by']", "service");
    const rows = await rowsOf("Connections by service");
    assert.deepEqual(
      rows.map(([value, , connections, failed, , , out]) => [value, connections, failed, out]),
      [
        ["shop", "40", "0", "4 kB"],
        ["web", "1", "0", "0 B"],
      ],
    );
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForFunction(
      "document.querySelectorAll('[aria-label=Connections] tbody tr').length === 40",
    );
    assert.deepEqual([await parameter("q"), await parameter("group")], ["service:shop", null]);
    await show("/connections?last=600&of=connect&group=cause");
    const [first] = await rowsOf("Connections by cause");
    assert.deepEqual([first![0], first![2], first![3]], ["connection_refused", "20", "20"]);
  });

  it("draws in a column's head how its values are distributed", async () => {
    await show("/connections?last=600&q=service:shop");
    const label = await page.$eval("th svg[aria-label^='took']", (svg) => svg.getAttribute("aria-label"));
    assert.match(label!, /^took: 40 values, half of them up to 10\.\d ms, 99 % up to 1\.?\d* s$/);
    const bars = await page.$$eval("th svg[aria-label^='took'] rect", (all) =>
      all.map((bar) => Number(bar.getAttribute("height"))),
    );
    assert.deepEqual(bars.map((height) => Math.round((height / 16) * 30)).sort(), [10, 30]);
  });

  it("shows only a node's neighbours with f, and hides it with h", async () => {
    await show("/topology?last=600");
    await page.waitForSelector("[data-node]");
    const nodes = () =>
      page.$$eval("[data-node]", (all) => all.map((one) => one.getAttribute("data-node")!).sort());
    assert.deepEqual(await nodes(), ["10.0.0.1", "10.0.0.2", "cart", "shop", "web"]);
    await focus("[data-node='shop']");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate("document.activeElement.dataset.node"), "10.0.0.1");
    await page.keyboard.press("f");
    await page.waitForFunction("document.querySelectorAll('[data-node]').length === 3");
    assert.deepEqual(await nodes(), ["10.0.0.1", "shop", "web"]);
    await focus("[data-node='web']");
    await page.keyboard.press("h");
    await page.waitForFunction("document.querySelectorAll('[data-node]').length === 2");
    assert.deepEqual([await parameter("focus"), await parameter("hide")], ["10.0.0.1", '["web"]']);
    await focus("[data-node='shop']");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("location.pathname"), "/connections");
    assert.equal(await parameter("q"), "service:shop");
  });

  it("moves through the cells of a heatmap with arrow keys", async () => {
    await show("/latency?of=life&last=600&q=service:shop");
    await page.waitForSelector("svg[role='application']");
    await focus("svg[role='application']");
    for (let i = 0; i < 70; i++) await page.keyboard.press("ArrowUp");
    const reported = new Set<string>();
    for (let i = 0; i < 70; i++) {
      reported.add((await page.$eval("p[aria-live]", (p) => p.textContent)) ?? "");
      await page.keyboard.press("ArrowLeft");
    }
    assert.ok(
      [...reported].some((text) => /, up to 1\.?\d* s: 10$/.test(text)),
      [...reported].join("\n"),
    );
  });

  it("shows pictures as tables with v, and as pictures again", async () => {
    await show("/latency?of=life&last=600&q=service:shop");
    await page.keyboard.press("v");
    const rows = await rowsOf("How long connections lasted");
    assert.deepEqual(
      rows.map(([, values, median, , longest]) => [values, median!.replace(/10\.\d/, "10"), longest]),
      [["40", "10 ms", "1 s"]],
    );
    await page.keyboard.press("v");
    await page.waitForSelector("svg[role='application']");
  });

  it("shows what the listener of a connection did at the same time", async () => {
    const list = (await (
      await fetch(`http://127.0.0.1:${served.port}/api/v1/connections?last=600&q=service:shop`)
    ).json()) as { rows: readonly { trace: string }[] };
    await show(`/c/${list.rows[0]!.trace}`);
    const rows = await rowsOf("Meanwhile on this host");
    assert.deepEqual(rows[0]?.[0], "▲ accept queue of db:5432");
    assert.deepEqual(rows[0]?.[2], "at most 3 of 3");
    const lanes = await page.$$eval(".waterfall .host title", (all) =>
      all.map(({ textContent }) => textContent),
    );
    assert.deepEqual(lanes, [
      "accept queue of db:5432: at most 3 of 3, from a minute before to a minute after",
    ]);
    assert.match(
      (await page.$eval(".waterfall .host path", (path) => path.getAttribute("d")))!,
      /^M[\d.]+ [\d.]+H[\d.]+/,
    );
  });

  it("goes to the next and the previous connection of the list with j and k", async () => {
    await show("/connections?last=600&q=service:shop&order=sent");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".waterfall");
    const at = () => page.evaluate("location.pathname") as Promise<string>;
    const first = await at();
    await page.waitForSelector("::-p-text(Next)");
    await page.keyboard.press("k");
    assert.equal(await at(), first, "there is none before");
    await page.keyboard.press("j");
    const second = await at();
    await page.keyboard.press("j");
    assert.equal(new Set([first, second, await at()]).size, 3);
    await page.keyboard.press("k");
    assert.equal(await at(), second);
    await page.waitForFunction(`document.body.innerText.includes("shop")`);
  });

  it("says what the numbers of an edge mean", async () => {
    const reads = async (edge: string) => {
      await show(`/topology?last=600&edge=${encodeURIComponent(edge)}`);
      await page.waitForSelector(".reads");
      return page.$eval(".reads", (one) => one.textContent);
    };
    assert.equal(await reads("cart → 10.0.0.2 :5432"), "Reads as: nothing listens on port 5432 of 10.0.0.2.");
    assert.equal(
      await reads("shop → 10.0.0.1 :5432"),
      "Reads as: nothing is wrong here; there is no hour before to compare with.",
    );
  });

  it("joins subnets, and colours edges by how slow they are", async () => {
    await show("/topology?last=600&by=subnet&w=connect");
    await page.waitForSelector("[data-node]");
    const nodes = await page.$$eval("[data-node]", (all) => all.map((one) => one.getAttribute("data-node")));
    assert.deepEqual(nodes.sort(), ["10.0.0.0/24", "10.0.9.0/24"]);
    assert.ok(await page.$(".edge.slow-0"));
    await page.locator("::-p-text(Its connections)").click();
    assert.equal(await parameter("q"), "peer:10.0.0.0/24 port:5432 direction:outbound");
  });

  it("draws no SYN that took a second if its retransmission is not stored", async () => {
    const start = Date.now() / 1000 - 30;
    const accepted = {
      ...{ "wirespan.connection.direction": "inbound", "wirespan.tcp.accept.queue_wait": 0.1 },
      ...{ "network.local.address": "10.0.0.9", "network.local.port": 5432 },
      ...{ "network.peer.address": "10.0.9.9", "network.peer.port": 40_000, "wirespan.connection.id": "2" },
    };
    const { store } = served;
    const made = { trace: 900, service: "slow" };
    store.spans(CONNECT, [{ ...made, start, duration: 1.03, attributes: outbound(9) }]);
    store.spans(ACCEPT, [{ ...made, start: start + 1.02, duration: 0.1, attributes: outbound(9, accepted) }]);
    await show(`/c/${Buffer.from(traceId(900)).toString("hex")}`);
    await page.waitForSelector(".waterfall");
    const syns = await page.$$eval(".syn title", (all) => all.map(({ textContent }) => textContent));
    assert.deepEqual(syns, ["SYN to slow, which did not receive it"]);
  });

  it("draws the subject of a finding over time", async () => {
    await show("/?last=600");
    await page.waitForSelector(".findings svg polyline");
    const label = await page.$eval(".findings svg", (svg) => svg.getAttribute("aria-label"));
    assert.equal(label, `${REFUSED.subject} over the range`);
  });

  it("passes axe-core with them, light and dark", async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const objections: string[] = [];
    for (const value of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      for (const path of [
        "/",
        "/?view=table",
        "/connections",
        "/connections?group=service",
        "/topology?focus=shop",
        "/topology?by=process&w=bytes",
        "/topology?by=subnet&w=connect",
        "/latency?of=life&by=service",
        "/?top=rtt",
      ]) {
        await show(`${path}${path.includes("?") ? "&" : "?"}last=600`);
        await page.$eval("details.save", (menu) => menu.setAttribute("open", ""));
        await page.evaluate(axe);
        const { violations } = (await page.evaluate("axe.run()")) as {
          violations: readonly { id: string; nodes: readonly { html: string }[] }[];
        };
        for (const { id, nodes } of violations)
          objections.push(`${value} ${path}: ${id}: ${nodes[0]?.html.slice(0, 200)}`);
      }
    }
    assert.deepEqual(objections, []);
  });

  it("draws the rows of a long list as they come into view", async () => {
    const attributes = outbound(3);
    const end = Date.now() / 1000 - 5;
    const many = Array.from({ length: 250 }, (_, i): Made => {
      return { start: end - 1, duration: 0.01, trace: 1000 + i, service: "bulk", attributes };
    });
    served.store.spans(CONNECTION, many);
    await show("/connections?last=600&q=service:bulk");
    const rows = "document.querySelectorAll('[aria-label=Connections] tbody tr').length";
    await page.waitForFunction(`${rows} === 100`);
    assert.equal(await page.$eval("tfoot", ({ innerText }) => innerText), "150 more");
    await page.$eval("tfoot", (foot) => foot.scrollIntoView());
    await page.waitForFunction(`${rows} === 200`);
    for (let i = 0; i <= 200; i++) await page.keyboard.press("j");
    await page.waitForFunction(`${rows} === 250`);
    assert.equal(
      await page.$$eval("tbody tr", (all) => all.findIndex((row) => row.matches(".selected"))),
      200,
    );
  });
});
