// The page in a real browser, with real traffic and real faults: how it looks, its keys, and who can use it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Page } from "puppeteer-core";
import { FaultyPage } from "../support/faulty-page.ts";

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

describe("the use of the page", () => {
  let stage: FaultyPage;
  let page: Page;
  const show = (path: string) => stage.show(path);
  const ask = <T>(path: string) => stage.ask<T>(path);

  before(async function () {
    stage = await FaultyPage.start(this);
    page = stage.page;
  });
  after(() => stage?.[Symbol.asyncDispose]());

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

  it("logged no error on the browser's console", () => {
    assert.deepEqual(stage.problems, []);
  });
});
