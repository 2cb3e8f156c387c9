// Names that look like HTML or scripts, in a real browser: the page shows them as text.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../core/plugin/log.ts";
import type { SpanSpec } from "../../core/plugin/signals.ts";
import { LocalExporter } from "../../exporters/local/local-exporter.ts";
import { openBrowser } from "../support/browser.ts";
import { CONNECT, CONNECTION, outbound, traceId } from "../support/page.ts";
import { until } from "../support/until.ts";

const HACK = "document.title='hacked'";
const NAMES = [
  `<img src=x onerror="${HACK}">`,
  `"><script>${HACK}</script>`,
  `javascript:${HACK}`,
  `\u202e</title><svg onload=${HACK}>\u0000`,
  `__proto__`,
  `${"x".repeat(3000)} ' or 1=1 --`,
];
const SCREENS = ["/", "/connections", "/latency", "/topology", "/losses", "/listeners", "/host", "/agent"];
const LOG: Log = { error() {}, warn() {}, info() {}, debug() {} };

describe("the page with hostile names", () => {
  it("executes none of them on any screen, and shows them unchanged", async function () {
    await using stack = new AsyncDisposableStack();
    const browser = await openBrowser(this);
    stack.defer(() => browser.close());
    const folder = mkdtempSync(join(tmpdir(), "wirespan-hostile-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    chmodSync(folder, 0o755);
    const exporter = new LocalExporter(
      "viewer",
      {
        ...{ file: join(folder, "viewer.db"), bytes: 64 * 1024 ** 2, rate: 1e6, hostInstance: NAMES[0]! },
        ...{ address: "127.0.0.1:0", users: [process.getuid!()], isOpen: false },
        ...{ receive: false, receiveFrom: "anyone" },
      },
      LOG,
      () => {},
    );
    stack.defer(() => exporter.shutdown(2000));
    const url = await until("the page", () => exporter.url);
    const now = Math.floor(Date.now() / 1000);
    const specs = [CONNECT, CONNECTION].map(({ name, description, attributes }) => {
      return { signal: "span", name, description, attributes } as const satisfies SpanSpec;
    });
    for (const [n, name] of NAMES.entries())
      for (let i = 0; i < 40; i++)
        for (const [s, spec] of specs.entries()) {
          const id = traceId(1000 * n + i);
          exporter.span({
            ...{ spec, scope: { name: "wirespan.connections", version: "1" }, kind: "internal" as const },
            ...{ start: { sec: now - 2, nsec: i }, end: { sec: now - 1, nsec: i } },
            ...{
              traceId: id,
              spanId: Uint8Array.from(id.subarray(8), (byte, b) => (b === 0 ? s + 1 : byte)),
            },
            resource: { attributes: { "service.name": name, "container.id": name } },
            error: name,
            attributes: outbound(n, {
              "process.executable.name": name,
              "thread.name": name,
              "wirespan.netns.name": name,
              "network.peer.address": n % 2 ? name : "10.0.0.1",
              "error.type": "connection_refused",
            }),
          });
        }
    await exporter.flush(10_000);
    await until(
      "the findings",
      async () => {
        const { findings } = (await (await fetch(new URL("/api/v1/findings", url))).json()) as {
          findings: readonly unknown[];
        };
        return findings.length >= NAMES.length - 1;
      },
      60_000,
    );

    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("dialog", (dialog) => problems.push(dialog.message()));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    const evil = encodeURIComponent(`service:"${NAMES[0]!.replaceAll('"', "*")}"`);
    const trace = Buffer.from(traceId(1)).toString("hex");
    for (const path of [...SCREENS, `/c/${trace}`, `/connections?q=${evil}`, "/topology?view=table"]) {
      await page.goto(new URL(path, url).href, { waitUntil: "domcontentloaded" });
      await page.waitForSelector("main");
      await page.waitForFunction("!document.body.innerText.includes('Loading…')", { timeout: 20_000 });
      const { title, added, text } = (await page.evaluate(`({
        title: document.title,
        added: [...document.querySelectorAll("img:not([src='/icon.svg']), script:not([src]), [onerror], [onload], a[href^=javascript]")].map((one) => one.outerHTML),
        text: document.body.innerText,
      })`)) as { title: string; added: readonly string[]; text: string };
      assert.doesNotMatch(title, /^hacked/, path);
      assert.deepEqual(added, [], path);
      if (path === "/") assert.ok(text.includes(NAMES[0]!), "the name as it is");
    }
    assert.deepEqual(problems, []);
  });
});
