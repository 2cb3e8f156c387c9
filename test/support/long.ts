// Tests that have two sizes: `npm test` runs the short form, `npm run test:long` the long one.

const isLong = process.env.TEST_LONG === "1";

/** The size of this run. */
export function size(short: number, long: number): number {
  return isLong ? long : short;
}
