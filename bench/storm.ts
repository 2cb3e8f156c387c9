// Load for what is measured.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Netns } from "../test/netns.ts";
import { run } from "../test/workload.ts";
import { STORM_CPU } from "./contenders.ts";
import { type Figures, lowest } from "./figures.ts";

const folder = join(import.meta.dirname, "build");

export function build(): void {
  mkdirSync(folder, { recursive: true });
  const source = join(import.meta.dirname, "storm.c");
  execFileSync("cc", ["-O2", "-Wall", "-D_GNU_SOURCE", "-o", join(folder, "storm"), source], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Loopback connections for that long; microseconds that one took while nothing came between. */
export async function connections(netns: Netns, milliseconds: number): Promise<number> {
  const said = await netns.run(join(folder, "storm"), String(STORM_CPU), String(milliseconds));
  const batches: Figures = said.trim().split("\n").map(Number);
  return lowest(batches) / 1000;
}

/** Datagrams on one CPU. */
export async function datagrams(netns: Netns, count: number): Promise<void> {
  await run(netns, "datagrams", { count, cpu: STORM_CPU });
}
