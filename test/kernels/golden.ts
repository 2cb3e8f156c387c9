// The workload with known numbers: 12 connections, two of them over IPv6, and 2 refused, on loopback.
import type { Netns } from "../support/netns.ts";
import { type Line, type Options, run } from "../support/workload.ts";

/** Options of the three workloads below. The first server closes at once, the second later: the kernel closes them differently. */
export const golden = {
  v4: { address: "127.0.0.1", port: 9100, count: 10, up: 550, down: 5500, delay: 0 },
  v6: { address: "::1", port: 9101, count: 2, up: 150, down: 1500 },
  refused: { port: 9102, count: 2 },
} as const satisfies Record<string, Options>;

/** Additional options of an attempt: its SYN is dropped, retransmitted, and dropped again. */
export const lost = { port: 9103, synRetries: 1 } as const satisfies Options;

/** Runs it; returns the reports of the programs. */
export async function runGolden(netns: Netns): Promise<readonly Line[]> {
  const { v4, v6, refused } = golden;
  return [
    ...(await run(netns, "clientCloses", v4)),
    ...(await run(netns, "clientCloses", v6)),
    ...(await run(netns, "attempt", refused)),
  ];
}
