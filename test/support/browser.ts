// A real browser for the tests of the page.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser } from "puppeteer-core";
import { skip } from "./skip.ts";

/** Debian's and others' names of it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function found(): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not there.
      }
    }
  }
  return undefined;
}

/** Starts it; undefined if there is none here. */
export async function launchBrowser(): Promise<Browser | undefined> {
  const executablePath = found();
  if (executablePath === undefined) return undefined;
  // As root it has no sandbox; /dev/shm is small in containers.
  return await puppeteer.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

/** Starts it, or skips the test. */
export async function openBrowser(test: Mocha.Context): Promise<Browser> {
  return (await launchBrowser()) ?? skip(test, "needs Chromium");
}
