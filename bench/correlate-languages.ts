// What each context costs an application with the Python package and the Go module.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { lowest, type Row } from "./figures.ts";

const correlate = join(import.meta.dirname, "../correlate");

/** A row for each installed language, in nanoseconds, compared with a call that has nothing new to write. */
export function correlateLanguageRows(rounds: number): Row[] {
  const rows: Row[] = [];
  if (!spawnSync("python3", ["--version"]).error) {
    const taken = Array.from({ length: rounds }, python);
    rows.push(row("Python", 9_000, taken));
  }
  if (!spawnSync("go", ["version"]).error) rows.push(row("Go", 260, go(rounds)));
  return rows;
}

interface Taken {
  readonly written: number;
  readonly again: number;
}

function row(language: string, goal: number, taken: readonly Taken[]): Row {
  const ours = taken.map(({ written }) => written);
  return {
    measure: `a context written for a socket by correlate/${language.toLowerCase()}`,
    unit: "ns",
    ours,
    floor: { name: "the same again", figures: taken.map(({ again }) => again) },
    peers: [],
    goal: `≤ ${goal}`,
    met: lowest(ours) <= goal,
  };
}

function python(): Taken {
  const said = execFileSync("python3", ["-B", "bench.py"], {
    cwd: join(correlate, "python"),
    encoding: "utf8",
  });
  const figures = JSON.parse(said) as Record<string, number>;
  return { written: figures["a new context"]!, again: figures["the same context again"]! };
}

/** Each benchmark's line ends in the nanoseconds per call. */
function go(rounds: number): Taken[] {
  const said = execFileSync(
    "go",
    ["test", "-run=^$", "-bench=Label", "-benchtime=200000x", `-count=${rounds}`, "."],
    { cwd: join(correlate, "go"), encoding: "utf8" },
  );
  const figures = (name: string) =>
    [...said.matchAll(new RegExp(`^BenchmarkLabel/${name}\\S*\\s+\\d+\\s+([\\d.]+) ns/op`, "gm"))].map(
      ([, ns]) => Number(ns),
    );
  const again = figures("same");
  return figures("new").map((written, i) => ({ written, again: again[i]! }));
}
