// What became of everything that one exporter received.
import { type ExportCounts, type Kind, LOSS_CAUSES, type LossCause } from "./exporter.ts";

type Counts = Omit<ExportCounts, "queued">;

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends object ? Mutable<T[K]> : T[K] };

export class ExportCounter {
  readonly #counts: Readonly<Record<Kind, Mutable<Counts>>> = { span: zero(), point: zero(), event: zero() };

  given(kind: Kind, count: number): void {
    this.#counts[kind].given += count;
  }

  acknowledged(kind: Kind, count: number): void {
    this.#counts[kind].acknowledged += count;
  }

  lost(kind: Kind, cause: LossCause, count: number): void {
    this.#counts[kind].lost[cause] += count;
  }

  /** A copy of one kind's counts. */
  of(kind: Kind): Counts {
    return structuredClone(this.#counts[kind]);
  }
}

function zero(): Mutable<Counts> {
  const lost = Object.fromEntries(LOSS_CAUSES.map((cause) => [cause, 0])) as Record<LossCause, number>;
  return { given: 0, acknowledged: 0, lost };
}
