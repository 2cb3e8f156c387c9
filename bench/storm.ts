// The loads of the benchmarks.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { end, type Netns } from "../test/support/netns.ts";
import { run } from "../test/support/workload.ts";
import { STORM_CPU } from "./contenders.ts";
import { lowest } from "./figures.ts";

const folder = join(import.meta.dirname, "build");

/** The path of a built program of this folder. */
export function program(name: string): string {
  return join(folder, name);
}

export function build(): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ["storm", "hold", "messages"]) {
    const source = join(import.meta.dirname, `${name}.c`);
    execFileSync("cc", ["-O2", "-Wall", "-D_GNU_SOURCE", "-o", program(name), source], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
}

/** Makes loopback connections for that long; microseconds per undisturbed connection. */
export async function connections(netns: Netns, milliseconds: number): Promise<number> {
  const said = await netns.run(program("storm"), String(STORM_CPU), String(milliseconds));
  const batches = said
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number) as [number, number]);
  const wall = lowest(batches.map(([ns]) => ns));
  const cpu = lowest(batches.map(([, ns]) => ns));
  // CPU time varies less, but does not include softirqs on kernels that account for interrupts separately.
  return (cpu > 0.9 * wall ? cpu : wall) / 1000;
}

/** Opens that many connections, both ends in one process, until it is disposed of. */
export async function hold(netns: Netns, count: number): Promise<AsyncDisposable> {
  const held = netns.spawn(program("hold"), [String(count)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: held.stdout! });
  const [line] = await Promise.race([once(lines, "line"), once(held, "close")]);
  if (line !== "held") throw new Error("connections could not be held");
  return { [Symbol.asyncDispose]: () => end(held) };
}

/** Messages over one loopback connection, each answered: arbitrary bytes, or requests with a traceparent. */
export async function messages(netns: Netns, count: number, kind: "opaque" | "head"): Promise<void> {
  await netns.run(program("messages"), String(STORM_CPU), String(count), kind);
}

/** Datagrams on one CPU, over loopback or to an address of another namespace. */
export async function datagrams(
  netns: Netns,
  count: number,
  to: { readonly address?: string; readonly server?: Netns } = {},
): Promise<void> {
  await run(netns, "datagrams", { count, cpu: STORM_CPU, ...to });
}
