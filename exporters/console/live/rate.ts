// A total and how fast it grows.

/** The share of the last interval in a rate: a step is 90 % visible after four of them. */
const WEIGHT = 0.45;

export class Rate {
  /** Since the start. */
  total = 0;
  /** Per second. */
  perSecond = 0;
  #before = 0;
  #isNew = true;

  add(amount: number): void {
    this.total += amount;
  }

  /** Called once per interval of `seconds`. */
  tick(seconds: number): void {
    const now = (this.total - this.#before) / seconds;
    this.#before = this.total;
    this.perSecond = this.#isNew ? now : this.perSecond + WEIGHT * (now - this.perSecond);
    this.#isNew = false;
    // Zero is shown as soon as nothing happens.
    if (now === 0 && this.perSecond < 0.05) this.perSecond = 0;
  }
}
