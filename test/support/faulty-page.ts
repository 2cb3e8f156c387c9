// The page of an agent beside which faults are staged, in a real browser.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Page } from "puppeteer-core";
import { type Agent, MAIN, startAgent } from "./agent.ts";
import { openBrowser } from "./browser.ts";
import { inodeOf } from "./connection-ends.ts";
import { Netns, needsRoot } from "./netns.ts";
import { type Counts, type Finding, Staged } from "./staged.ts";
import { until } from "./until.ts";

/** The rules that find the faults. */
export const FAULTS = ["connects-fail", "accept-queue-full", "connections-reset"];

export class FaultyPage implements AsyncDisposable {
  readonly netns: Netns;
  readonly agent: Agent;
  readonly folder: string;
  readonly url: string;
  readonly page: Page;
  /** What the clients counted themselves, by service. */
  readonly made: Readonly<Record<string, Counts>>;
  /** What the browser logged as an error. */
  readonly problems: string[] = [];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<FaultyPage, "netns" | "agent" | "folder" | "url" | "page" | "made">,
    stack: AsyncDisposableStack,
  ) {
    const { netns, agent, folder, url, page, made } = parts;
    this.netns = netns;
    this.agent = agent;
    this.folder = folder;
    this.url = url;
    this.page = page;
    this.made = made;
    this.#stack = stack;
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.problems.push(message.text());
    });
  }

  /** Resolves when all faults have been found. */
  static async start(test: Mocha.Context): Promise<FaultyPage> {
    needsRoot(test);
    await using stack = new AsyncDisposableStack();
    const browser = await openBrowser(test);
    stack.defer(() => browser.close());
    const folder = await mkdtemp(join(tmpdir(), "wirespan-viewer-"));
    stack.defer(() => rm(folder, { recursive: true }));
    await chmod(folder, 0o755);
    const netns = stack.use(await Netns.create());
    const agent = stack.use(
      await startAgent([], {
        config: `
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 2s }
plugins: { softirqs: { perCpu: true }, tcpdrop: { stacks: true } }
viewer: { enabled: true, address: "127.0.0.1:0", file: "${folder}/viewer.db", receive: true, recordOn: [finding] }
exporters: { c: { type: console, format: json, rate: 1 } }
`,
      }),
    );
    const url = await until("the page's address", async () => {
      const { stdout } = await run(folder, "view").catch(() => ({ stdout: "" }));
      return stdout.trim() || undefined;
    });
    const start = async (...args: [service: string, ...args: string[]]) => {
      const one = await Staged.start(netns, ...args);
      stack.defer(() => one.end());
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
        const rules = new Set((await faultsAt(url)).map(({ rule }) => rule));
        return FAULTS.every((rule) => rules.has(rule));
      },
      60_000,
    );
    assert.ok(performance.now() - begun < 45_000, "they are found within seconds");
    // A picture should show more than a moment.
    if (process.env.PICTURES) await sleep(150_000);
    const made: Record<string, Counts> = {};
    for (const [service, client] of Object.entries(clients)) made[service] = await client.counts();
    const page = await browser.newPage();
    await page.setViewport({ width: 1440, height: 900 });
    return new FaultyPage({ netns, agent, folder, url, page, made }, stack.move());
  }

  /** An answer of the API. */
  async ask<T>(path: string): Promise<T> {
    return (await (await fetch(new URL(`/api/v1/${path}`, this.url))).json()) as T;
  }

  /** The findings of the staged faults. */
  found(): Promise<readonly Finding[]> {
    return faultsAt(this.url);
  }

  /** Runs a command of the agent's user. */
  wirespan(...args: string[]): Promise<{ readonly stdout: string }> {
    return run(this.folder, ...args);
  }

  async show(path: string): Promise<void> {
    await this.page.goto(new URL(path, this.url).href, { waitUntil: "domcontentloaded" });
    await this.page.waitForSelector("main");
    await this.page.waitForFunction("!document.body.innerText.includes('Loading…')", { timeout: 20_000 });
  }

  text(): Promise<string> {
    return this.page.evaluate("document.body.innerText") as Promise<string>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function faultsAt(url: string): Promise<readonly Finding[]> {
  const answer = await fetch(new URL("/api/v1/findings", url));
  const { findings } = (await answer.json()) as { readonly findings: readonly Finding[] };
  return findings.filter(({ rule }) => FAULTS.includes(rule));
}

function run(folder: string, ...args: string[]) {
  const words = [MAIN, ...args, "--socket", `${folder}/control.sock`];
  return promisify(execFile)(process.execPath, words);
}
