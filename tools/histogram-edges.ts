// Writes bpf/histogram_edges.h: the exact upper edges, in nanoseconds, of the exponential-histogram buckets
// of scale 3 (OpenTelemetry data model: bucket i is (base^i, base^(i+1)] seconds, base = 2^(1/8)).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Octaves below and above one second: 60 ns to 194 days. */
export const LOWEST = -24 * 8;
export const HIGHEST = 24 * 8;

function root(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** floor(2^(k/8) seconds in nanoseconds): an integer is above the edge exactly when it is above this. */
export function edge(k: number): bigint {
  const power = 10n ** 72n;
  return root(root(root(k < 0 ? power >> BigInt(-k) : power << BigInt(k))));
}

export function header(): string {
  // Filled up to a power of two, by which the programs bound their index.
  const edges = Array.from({ length: 512 }, (_, i) => edge(Math.min(LOWEST + i, HIGHEST)));
  const lines: string[] = [];
  for (let i = 0; i < edges.length; i += 6) {
    lines.push(
      `\t${edges
        .slice(i, i + 6)
        .map((e) => `${e}ull,`)
        .join(" ")}`,
    );
  }
  // Which of an octave's eight buckets the top six bits behind the leading one of a value fall into.
  const steps = Array.from({ length: 64 }, (_, m) => Math.floor(Math.log2(1 + (m + 0.5) / 64) * 8));
  return (
    "/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */\n#pragma once\n\n" +
    "/* Written by tools/histogram-edges.ts. Do not edit. */\n\n" +
    `#define HISTOGRAM_LOWEST (${LOWEST})\n#define HISTOGRAM_BUCKETS ${HIGHEST - LOWEST}\n\n` +
    `static const u64 histogram_edges[${edges.length}] = {\n${lines.join("\n")}\n};\n\n` +
    `static const u8 histogram_steps[64] = {\n\t${steps.slice(0, 32).join(", ")},\n\t${steps.slice(32).join(", ")},\n};\n`
  );
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "../bpf/histogram_edges.h");
  if (!process.argv.includes("--check")) writeFileSync(path, header());
  else if (readFileSync(path, "utf8") !== header()) {
    console.error("bpf/histogram_edges.h is not what tools/histogram-edges.ts writes; run npm run gen");
    process.exitCode = 1;
  }
}
