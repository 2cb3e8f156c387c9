// Skips with a reason. A test that cannot run here says why; the summary of `npm test` lists it, and
// test/support/reporter.ts counts a skip without a reason as a failure.

const reasons = new WeakMap<object, string>();

/**
 * Skips the running test, or from a `before` hook all tests of its suite, for `reason`: a short clause
 * such as "needs root". Call it as `skip(this, "...")`.
 */
export function skip(context: Mocha.Context, reason: string): never {
  const runnable = context.runnable();
  reasons.set(subject(context, runnable), reason);
  return context.skip();
}

/** The reason given for a skipped test or for a suite around it; undefined if there is none. */
export function reasonOf(test: Mocha.Runnable): string | undefined {
  let node: Mocha.Runnable | Mocha.Suite | undefined = test;
  for (; node; node = node.parent) {
    const reason = reasons.get(node);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function subject(context: Mocha.Context, runnable: Mocha.Runnable): object {
  if (runnable.title.startsWith('"before all"')) return runnable.parent ?? runnable;
  if (runnable.title.startsWith('"before each"')) return context.currentTest ?? runnable;
  return runnable;
}
