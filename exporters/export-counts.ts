// What became of everything that was given to one exporter.
import { type Kind, LOSS_CAUSES, type LossCause } from "./exporter.ts";

interface Account {
  given: number;
  acknowledged: number;
  readonly lost: Record<LossCause, number>;
}

export class Ledger {
  readonly #accounts: Readonly<Record<Kind, Account>> = {
    span: account(),
    point: account(),
    event: account(),
  };

  given(kind: Kind, count: number): void {
    this.#accounts[kind].given += count;
  }

  acknowledged(kind: Kind, count: number): void {
    this.#accounts[kind].acknowledged += count;
  }

  lost(kind: Kind, cause: LossCause, count: number): void {
    this.#accounts[kind].lost[cause] += count;
  }

  /** A copy of one kind's account. */
  of(kind: Kind): Readonly<Account> {
    const { given, acknowledged, lost } = this.#accounts[kind];
    return { given, acknowledged, lost: { ...lost } };
  }
}

function account(): Account {
  const lost = Object.fromEntries(LOSS_CAUSES.map((cause) => [cause, 0])) as Record<LossCause, number>;
  return { given: 0, acknowledged: 0, lost };
}
