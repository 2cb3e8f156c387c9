// What the page shows about connections that lose a SYN, and about others that wait, in a real browser with real traffic.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Browser, Page } from "puppeteer-core";
import type { Findings, List } from "../../store/answers.ts";
import { Api } from "../../store/http/api.ts";
import { openRecording } from "../../store/recording.ts";
import { startAgent } from "../support/agent.ts";
import { openBrowser } from "../support/browser.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { end, Netns, needsRoot } from "../support/netns.ts";
import { Staged } from "../support/staged.ts";
import { until } from "../support/until.ts";

const [LOSSY, IDLE] = [9008, 9007];

/** A connection whose first SYN is lost, and one on which nothing happens for two seconds. */
const CLIENT = `
import socket, time
for port, idle in (${LOSSY}, 0), (${IDLE}, 2):
    with socket.create_connection(("127.0.0.1", port)) as client:
        time.sleep(idle)
        client.sendall(b"question\\n")
        client.recv(100)
`;

/** A server that takes its time: to accept, and to answer. */
const SERVER = `
import select, socket, time
listener = socket.create_server(("0.0.0.0", ${LOSSY}))
print("ready", flush=True)
while True:
    select.select([listener], [], [])
    time.sleep(0.25)
    with listener.accept()[0] as connection:
        connection.recv(100)
        time.sleep(0.1)
        connection.sendall(b"answer\\n")
`;

describe("the page's screens", () => {
  let folder: string;
  let url: string;
  let browser: Browser;
  let page: Page;
  let stack: AsyncDisposableStack;

  const ask = async <T>(path: string): Promise<T> =>
    (await (await fetch(new URL(`/api/v1/${path}`, url))).json()) as T;

  before(async function () {
    needsRoot(this);
    // Again, if the hook is run again.
    stack = new AsyncDisposableStack();
    browser = await openBrowser(this);
    stack.defer(() => browser.close());
    folder = await mkdtemp(join(tmpdir(), "wirespan-viewer-"));
    stack.defer(() => rm(folder, { recursive: true }));
    await chmod(folder, 0o755);
    const netns = stack.use(await Netns.create());
    const agent = stack.use(
      await startAgent([], {
        config: `
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 2s }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db", receive: true }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
      }),
    );
    url = await until("the page's address", () =>
      agent.stderr.map((line) => /http:\/\/127\.0\.0\.1:\d+\//.exec(line)?.[0]).find((one) => one),
    );
    const env = { ...process.env, OTEL_SERVICE_NAME: "stock" };
    const slow = netns.spawn("python3", ["-c", SERVER], { env, stdio: ["ignore", "pipe", "inherit"] });
    stack.defer(() => end(slow));
    await once(createInterface(slow.stdout!), "line");
    const server = await Staged.start(netns, "stock", "serve", String(IDLE));
    stack.defer(() => server.end());
    const syns = `tcp dport ${LOSSY} tcp flags & (syn | ack) == syn numgen inc mod 2 == 0`;
    await netns.rule("input", syns, "drop");
    await netns.run("env", "OTEL_SERVICE_NAME=orders", "python3", "-c", CLIENT);
    await until(
      "both ends to be reported",
      async () => (await ask<List>("connections?last=600")).total === 4,
    );
    await browser
      .defaultBrowserContext()
      .overridePermissions(new URL(url).origin, ["clipboard-read", "clipboard-sanitized-write"]);
    page = await browser.newPage();
    await page.setViewport({ width: 1440, height: 900 });
  });
  after(() => stack?.disposeAsync());

  const show = async (path: string) => {
    await page.goto(new URL(path, url).href, { waitUntil: "domcontentloaded" });
    await page.waitForSelector("main");
    await page.waitForFunction("!document.body.innerText.includes('Loading…')", { timeout: 20_000 });
  };
  const showConnection = async (port: number) => {
    const { rows } = await ask<List>(`connections?last=600&q=port:${port}`);
    await show(`/c/${rows[0]!.trace}`);
    await page.waitForSelector(".waterfall");
    return rows[0]!.trace;
  };
  const label = () => page.$eval(".waterfall", (svg) => svg.getAttribute("aria-label")!);

  it("draw both ends of a connection, with the SYN that was lost before it had a trace", async () => {
    await showConnection(LOSSY);
    const [opener, acceptor] = (await label()).split(". ");
    assert.match(
      opener!,
      /^orders, tcp connection: connecting 1(\.0\d*)? s, established \d+ ms, 9 B out, 7 B in, syn retransmitted, SYN to stock, dropped there after [\d.]+ [µm]s, SYN to stock, received after [\d.]+ [µm]s$/,
    );
    const [, waited, accepted] =
      /^stock, .*accept queue (\d+) ms, accepted (\d+) ms, .*, dropped: NETFILTER_DROP$/.exec(acceptor!) ??
      [];
    assert.ok(Number(waited) >= 250 && Number(accepted) >= 100, acceptor);
    const xs = await page.$$eval(".mark path", (all) => all.map((mark) => mark.getBoundingClientRect().x));
    assert.equal(xs.length, 2);
    assert.ok(Math.abs(xs[0]! - xs[1]!) > 400, "the drop is where it begins, the second SYN a second later");
    const arrows = await page.$$eval(".syn:not(.lost) line", (all) =>
      all.map((arrow) => arrow.getBoundingClientRect().x),
    );
    assert.deepEqual(
      arrows.map((x) => Math.round((x - arrows[0]!) / 100)),
      [0, Math.round((xs[0]! - xs[1]!) / 100)],
      "an arrow from each SYN",
    );
    const tags = await page.$$eval(".head .tag.bad", (all) => all.map(({ textContent }) => textContent));
    assert.deepEqual(tags, ["▲ 1 retransmitted", "▲ 1 dropped on this host"]);
    if (process.env.PICTURES) await page.screenshot({ path: join(process.env.PICTURES, "connection.png") });
  });

  it("shorten a long time without events, and can zoom into a part of it", async () => {
    await showConnection(IDLE);
    const shortened = await page.$$eval(".shortened title", (all) =>
      all.map(({ textContent }) => textContent),
    );
    assert.equal(shortened.length, 1);
    assert.match(shortened[0]!, /^2(\.0\d*)? s without an event, shortened$/);
    const pixels = await page.$eval(".shortened rect", (piece) => piece.getBoundingClientRect().width);
    assert.ok(pixels < 120, `${pixels} pixels of 1,000 for all but some milliseconds`);
    const { x, y } = await page.$eval(".waterfall", (svg) => svg.getBoundingClientRect().toJSON());
    await page.mouse.move(x + 200, y + 40);
    await page.mouse.down();
    await page.mouse.move(x + 300, y + 40);
    await page.mouse.up();
    await page.waitForFunction("document.querySelectorAll('.shortened').length === 0");
    await page.locator("::-p-text(all of it)").click();
    await page.waitForSelector(".shortened");
  });

  it("copy a trace as a request that an OTLP endpoint accepts", async () => {
    const trace = await showConnection(LOSSY);
    await browser
      .defaultBrowserContext()
      .overridePermissions(new URL(url).origin, ["clipboard-read", "clipboard-sanitized-write"]);
    await page.bringToFront();
    await page.locator("::-p-text(Copy as OTLP)").click();
    const copied = await until(
      "the copy",
      () => page.evaluate("navigator.clipboard.readText()") as Promise<string>,
    );
    interface Request {
      readonly resourceSpans: readonly {
        readonly scopeSpans: readonly {
          readonly spans: readonly { readonly traceId: string; readonly name: string }[];
        }[];
      }[];
    }
    const spans = (JSON.parse(copied) as Request).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans),
    );
    assert.deepEqual(spans.map(({ name }) => name).sort(), [
      "tcp accept",
      "tcp connect",
      "tcp connection",
      "tcp connection",
    ]);
    assert.ok(spans.every(({ traceId }) => traceId === trace));
    const headers = ["-H", "content-type: application/json", "-d", copied];
    const status = ["-sS", "-o", "/dev/null", "-w", "%{http_code}"];
    const { stdout } = await promisify(execFile)("curl", [
      ...status,
      ...headers,
      new URL("/v1/traces", url).href,
    ]);
    assert.equal(stdout, "200");
  });

  it("mark in a heatmap how long a handshake with a lost SYN takes, and split it by a field", async () => {
    await show("/latency?of=connect&by=port&last=600");
    const marks = await page.$$eval(".syn-time text", (all) => all.map(({ textContent }) => textContent));
    assert.deepEqual(marks, ["1 SYN lost: +1 s"]);
    const figures = await page.$$eval(".figures", (all) => all.map(({ innerText }) => innerText));
    const max = (text: string) => /max ≤ (\S+ \S+) n/.exec(text.replaceAll(/\s+/g, " "))?.[1];
    assert.match(max(figures[0]!)!, /^1\.0\d s$/);
    const parts = await page.$$eval(".split h2", (all) =>
      all.map(({ innerText }) => innerText.split("\n")[0]),
    );
    assert.deepEqual(parts.toSorted(), [`port ${IDLE}`, `port ${LOSSY}`]);
    const of = (port: number) => max(figures[1 + parts.indexOf(`port ${port}`)]!)!;
    assert.match(of(LOSSY), /^1\.0\d s$/);
    assert.match(of(IDLE), / (µs|ms)$/);
  });

  it("name whose packets were lost", async () => {
    const causes = async () => {
      await show("/losses?last=600");
      return page.$$eval("[aria-label=Causes] tbody tr", (rows) =>
        rows.map(({ cells }) => [0, 2, 4].map((i) => cells[i]!.innerText.trim())),
      );
    };
    const lost = await until("the losses to be collected", async () => {
      const found = await causes();
      return found.length >= 2 && found;
    });
    assert.deepEqual(lost, [
      ["NETFILTER_DROP", "1", "this host"],
      ["syn", "1", "orders"],
    ]);
  });

  it("begin with the vitals, what was checked, and who retransmits most", async () => {
    await show("/?last=600");
    const vitals = (await page.$$eval(".vital", (all) =>
      all.map((one) => [one.getAttribute("aria-label"), one.querySelector("b")!.textContent]),
    )) as [string, string][];
    const of = (name: string) => Number(new Map(vitals).get(name));
    for (const name of ["SYNs repeated", "Packets dropped", "CPU in net_rx"])
      assert.ok(of(name) > 0, `${name} in ${JSON.stringify(vitals)}`);
    const { checks } = await ask<Findings>("findings");
    const checked = await page.$eval("[aria-label^=Findings] h2 .right", ({ textContent }) => textContent);
    assert.equal(checked, `${checks} checks, ${checks} calm`);
    await page.locator("[aria-label=Movers] th::-p-text(again)").click();
    await page.waitForFunction("new URLSearchParams(location.search).get('top') === 'again'");
    const movers = await page.$$eval("[aria-label=Movers] tbody tr", (rows) =>
      rows.map(({ cells }) => [0, 1].map((i) => cells[i]!.innerText)),
    );
    assert.deepEqual(movers, [
      ["orders", `stock :${LOSSY}`],
      ["orders", `stock :${IDLE}`],
    ]);
  });

  it("map processes and containers as well as services, and draw edges as wide as the chosen measure", async () => {
    const mapped = async (query: string) => {
      await show(`/topology?last=600&${query}`);
      await page.waitForSelector("[data-node]");
      const nodes = await page.$$eval("[data-node]", (all) =>
        all.map((one) => one.getAttribute("data-node")!),
      );
      const edges = await page.$$eval(".map .edge", (all) =>
        all.map((one) => [
          one.querySelector("text")!.textContent!,
          one.querySelector("path")!.getAttribute("stroke-width")!,
        ]),
      );
      return { nodes: nodes.toSorted(), edges };
    };
    assert.deepEqual((await mapped("")).nodes, ["orders", "stock"]);
    const { nodes, edges } = await mapped("by=process&w=again");
    assert.equal(nodes.length, 3);
    assert.ok(
      nodes.every((name, i) => (i < 1 ? /^node \d+$/ : /^python3\S* \d+$/).test(name)),
      nodes.join(),
    );
    // Of two edges, one has retransmitted.
    const [none, some] = edges.toSorted(([, a], [, b]) => Number(a) - Number(b));
    assert.deepEqual(none, ["0 %", "1"]);
    assert.deepEqual(some![1], "5");
    const opener =
      "[...document.querySelectorAll('[data-node]')].find((one) => /opens only/.test(one.textContent))";
    await page.evaluate(`${opener}.focus()`);
    await page.keyboard.press("Enter");
    await page.waitForSelector("[aria-label=Connections] tbody tr");
    assert.equal(await page.$$eval("[aria-label=Connections] tbody tr", ({ length }) => length), 2);
    await show("/topology?last=600&by=container&view=table");
    const table = await page.$$eval("[aria-label=Edges] tbody tr", (rows) =>
      rows.map(({ cells }) => [0, 1].map((i) => cells[i]!.innerText)),
    );
    assert.deepEqual(table.toSorted(), [
      ["no container", `no container :${IDLE}`],
      ["▲ no container", `no container :${LOSSY}`],
    ]);
  });

  it("copy a link that shows the same again", async () => {
    const copied = async () => {
      await page.bringToFront();
      await page.locator(".top ::-p-text(Link)").click();
      await page.waitForSelector(".top ::-p-text(Copied)");
      return (await page.evaluate("navigator.clipboard.readText()")) as string;
    };
    const shown = () => page.$eval("[aria-label=Connections] table", ({ innerText }) => innerText);
    await show(`/connections?q=port:${LOSSY}&order=duration&last=600`);
    const [before, link] = [await shown(), await copied()];
    await show("/");
    await show(link);
    assert.deepEqual([...new URL(link).searchParams.keys()].sort(), ["from", "order", "q", "to"]);
    assert.equal(await shown(), before);
    await showConnection(IDLE);
    await page.waitForSelector(".shortened");
    const { x, y } = await page.$eval(".waterfall", (svg) => svg.getBoundingClientRect().toJSON());
    await page.mouse.move(x + 200, y + 40);
    await page.mouse.down();
    await page.mouse.move(x + 260, y + 40);
    await page.mouse.up();
    await page.waitForSelector("::-p-text(all of it)");
    const [part, linkOfPart] = [await label(), await copied()];
    const marks = () =>
      page.$$eval(".waterfall > g > text", (all) => all.map(({ textContent }) => textContent));
    const drawn = await marks();
    await show("/");
    await show(linkOfPart);
    assert.deepEqual([await label(), await marks()], [part, drawn]);
  });

  it("save what is shown: as a recording, and its tables", async () => {
    await show("/connections?last=600");
    const cdp = await browser.target().createCDPSession();
    await cdp.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
    const downloaded = (name: string) =>
      until("the download", async () => {
        const saved = await readFile(join(folder, name), "utf8").catch(() => "");
        return saved || undefined;
      });
    await page.locator(".save summary").click();
    await page.locator(".save a[href*=recording]").click();
    await downloaded("wirespan.db");
    using recording = openRecording(join(folder, "wirespan.db"));
    const { body } = await new Api(recording).answer("connections", new URLSearchParams("last=600"));
    assert.equal((body as List).total, 4);
    await page.locator(".save button").click();
    const csv = await downloaded("wirespan.csv");
    const [caption, heads, ...lines] = csv.trimEnd().split("\r\n");
    assert.deepEqual([caption, heads!.split(",").slice(0, 2)], ["Connections", ["ended ▾", "service"]]);
    assert.deepEqual(lines.map((line) => line.split(",")[1]).sort(), ["orders", "orders", "stock", "stock"]);
    const error = "there is no room for a recording";
    await page.setRequestInterception(true);
    page.once("request", (request) => void request.respond({ status: 507, body: JSON.stringify({ error }) }));
    await page.locator(".save a[href*=recording]").click();
    await page.waitForSelector(`::-p-text(${error})`);
    await page.setRequestInterception(false);
  });
});
