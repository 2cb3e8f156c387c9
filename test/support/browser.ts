// A real browser for the tests of the page.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser } from "puppeteer-core";
import { skip } from "./skip.ts";

/** Its names in Debian and elsewhere. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function found(): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not installed under this name.
      }
    }
  }
  return undefined;
}

/** Starts it; undefined if it is not installed. */
export async function launchBrowser(): Promise<Browser | undefined> {
  const executablePath = found();
  if (executablePath === undefined) return undefined;
  // It cannot use its sandbox as root; /dev/shm is small in containers.
  return await puppeteer.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

/** Starts it, or skips the test. */
export async function openBrowser(test: Mocha.Context): Promise<Browser> {
  return (await launchBrowser()) ?? skip(test, "needs Chromium");
}
