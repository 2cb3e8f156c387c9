// Measured figures, and the report that is made from them.

/** One contender's figures, one per round, in the row's unit. */
export type Figures = readonly number[];

export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly ours: Figures;
  /** The cost of the same operation without any work, measured in the same rounds. */
  readonly floor?: { readonly name: string; readonly figures: Figures };
  readonly peers: readonly { readonly name: string; readonly figures: Figures }[];
  readonly goal: string;
  /** Undefined if the peer that the goal names could not run here. */
  readonly met?: boolean;
  readonly note?: string;
}

export function median(figures: Figures): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The 10th percentile: the cost of a run that was not disturbed. */
export function lowest(figures: Figures): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 10)]!;
}

/** Compares figures of the same round, which were measured one right after the other. */
function pairwise(a: Figures, b: Figures, of: (a: number, b: number) => number): number[] {
  return a.slice(0, b.length).map((value, i) => of(value, b[i]!));
}

export const ratios = (a: Figures, b: Figures): number[] => pairwise(a, b, (x, y) => x / y);
export const differences = (a: Figures, b: Figures): number[] => pairwise(a, b, (x, y) => x - y);

function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

/** `303 (290–319)`. */
export function shown(figures: Figures): string {
  if (figures.length === 0) return "–";
  const [low, high] = [Math.min(...figures), Math.max(...figures)];
  return figures.length === 1 ? short(low) : `${short(median(figures))} (${short(low)}–${short(high)})`;
}

function verdict({ met, goal }: Row): string {
  if (met !== undefined) return met ? "met" : "missed";
  return goal === "–" ? "no goal" : "not compared (no peer is installed)";
}

export function markdown(rows: readonly Row[], about: readonly string[]): string {
  const head = ["measure", "ours", "floor", "peer", "ours / floor", "ours / peer", "goal", ""];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cells = rows.map((row) => {
    const { floor, peers } = row;
    return line([
      `${row.measure}, ${row.unit}`,
      shown(row.ours),
      floor ? `${floor.name} ${shown(floor.figures)}` : "–",
      peers.map((p) => `${p.name} ${shown(p.figures)}`).join("; ") || "–",
      floor ? shown(ratios(row.ours, floor.figures)) : "–",
      peers.map((p) => shown(ratios(row.ours, p.figures))).join("; ") || "–",
      row.goal,
      verdict(row) + (row.note ? `: ${row.note}` : ""),
    ]);
  });
  return [
    "# Bench",
    "",
    ...about,
    "",
    line(head),
    `|${head.map(() => "---|").join("")}`,
    ...cells,
    "",
    "Medians of the rounds, least and greatest in brackets. Contenders take turns within each round; read the ratios.",
    "",
  ].join("\n");
}
