// Writes bpf/include/wirespan/histogram_edges.h: the exact upper edges, in nanoseconds, of the exponential-histogram buckets
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

/** The initializers of an array, a fixed number per line. */
function rows(items: readonly string[], width: number): string {
  const lines: string[] = [];
  for (let i = 0; i < items.length; i += width) lines.push(`\t${items.slice(i, i + width).join(", ")},`);
  return lines.join("\n");
}

export function header(): string {
  // Padded to a power of two, by which the programs limit their index.
  const edges = Array.from({ length: 512 }, (_, i) => edge(Math.min(LOWEST + i, HIGHEST)));
  // The bucket of the lowest value with these five highest bits.
  const first = Array.from({ length: 64 * 16 }, (_, i) => {
    const lowest = ((16n + BigInt(i % 16)) << BigInt(i >> 4)) >> 4n;
    const above = edges.findIndex((e) => e >= lowest);
    return above < 0 ? HIGHEST - LOWEST - 1 : Math.min(Math.max(above - 1, 0), HIGHEST - LOWEST - 1);
  });
  return (
    "/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */\n#pragma once\n\n" +
    "/* Written by tools/histogram-edges.ts. Do not edit. */\n\n" +
    `#define HISTOGRAM_LOWEST (${LOWEST})\n#define HISTOGRAM_BUCKETS ${HIGHEST - LOWEST}\n\n` +
    `static const u64 histogram_edges[${edges.length}] = {\n${rows(
      edges.map((e) => `${e}ull`),
      6,
    )}\n};\n\n` +
    `static const u16 histogram_first[${first.length}] = {\n${rows(first.map(String), 16)}\n};\n`
  );
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "../bpf/include/wirespan/histogram_edges.h");
  const check = process.argv.includes("--check");
  const same = readFileSync(path, "utf8") === header();
  if (check && !same) {
    console.error(
      "bpf/include/wirespan/histogram_edges.h is not what tools/histogram-edges.ts writes; run npm run gen",
    );
    process.exitCode = 1;
  }
  // Writing the file causes every object to be rebuilt.
  if (!check && !same) writeFileSync(path, header());
}
