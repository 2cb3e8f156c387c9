// An exporter that is done with everything as it comes: nothing waits, and nothing can be lost.

import { Ledger } from "../export-counts.ts";
import { type Balance, COMPONENTS, type Exporter, type Kind } from "../exporter.ts";

export abstract class Immediate implements Exporter {
  readonly name: string;
  readonly type = "console";
  readonly queue = { bytes: 0, limit: 0 };
  readonly #ledger = new Ledger();

  constructor(name: string) {
    this.name = name;
  }

  componentType(kind: Kind): string {
    return `console_${COMPONENTS[kind]}_exporter`;
  }

  balance(kind: Kind): Balance {
    return { ...this.#ledger.of(kind), queued: 0 };
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  async flush(): Promise<void> {}

  async shutdown(): Promise<void> {}

  protected count(kind: Kind, count: number): void {
    this.#ledger.given(kind, count);
    this.#ledger.acknowledged(kind, count);
  }
}
