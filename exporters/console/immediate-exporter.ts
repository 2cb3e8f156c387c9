// An exporter that processes everything at once: nothing waits, and nothing can be lost.

import { ExportCounter } from "../export-counts.ts";
import { COMPONENTS, type ExportCounts, type Exporter, type Kind } from "../exporter.ts";

export abstract class ImmediateExporter implements Exporter {
  readonly name: string;
  readonly type = "console";
  readonly queue = { bytes: 0, limit: 0 };
  readonly #counter = new ExportCounter();

  constructor(name: string) {
    this.name = name;
  }

  componentType(kind: Kind): string {
    return `console_${COMPONENTS[kind]}_exporter`;
  }

  counts(kind: Kind): ExportCounts {
    return { ...this.#counter.of(kind), queued: 0 };
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  async flush(): Promise<void> {}

  async shutdown(): Promise<void> {}

  protected count(kind: Kind, count: number): void {
    this.#counter.given(kind, count);
    this.#counter.acknowledged(kind, count);
  }
}
