// Mocha's root hook. A failed test is run again if, during the run, the agent itself counted events that the kernel showed
// to no program, and for no other reason; if they were missed in its suite's hooks, these are run again, too.
import { unseenSoFar } from "./unseen.ts";

/** A test or hook that failed and was run again. */
export interface Rerun {
  readonly title: string;
  readonly message: string;
  /** Events that were not shown during the run. */
  readonly unseen: number;
}

/** Maximum number of reruns. */
const LIMIT = 3;

/** Everything that was run again in this process. */
export const reruns: Rerun[] = [];

/** Events that were not shown while a suite's `before` hooks ran. */
const before = new WeakMap<Mocha.Suite, number>();

/** A suite with mocha's private list of hooks. */
interface Suite extends Mocha.Suite {
  getHooks(kind: "beforeAll" | "afterAll"): Mocha.Hook[];
}

type Body = (this: Mocha.Context) => unknown;

/** Its failure, if any, and the number of events that were not shown during the run. */
async function attempt(body: Body, context: Mocha.Context): Promise<{ error?: Error; unseen: number }> {
  const first = await unseenSoFar(false);
  try {
    await body.call(context);
    return { unseen: (await unseenSoFar(false)) - first };
  } catch (error) {
    return { error: error as Error, unseen: (await unseenSoFar(true)) - first };
  }
}

function outward(test: Mocha.Runnable): Suite[] {
  const suites: Suite[] = [];
  for (let suite = test.parent; suite; suite = suite.parent) suites.push(suite as Suite);
  return suites;
}

/** Runs the hooks of these suites again, as if the suites started over. */
async function beginAgain(suites: readonly Suite[], context: Mocha.Context): Promise<void> {
  const ending = suites.flatMap((suite) => suite.getHooks("afterAll"));
  const beginning = suites.toReversed().flatMap((suite) => suite.getHooks("beforeAll"));
  for (const hook of [...ending, ...beginning]) {
    context.timeout(context.timeout() + hook.timeout());
    await (hook.fn as Body).call(hook.ctx!);
  }
}

function wrapTest(body: Body): Body {
  return async function (this: Mocha.Context) {
    const test = this.test as Mocha.Test & { currentRetry(): number };
    const suites = outward(test);
    const outermost = suites.findLastIndex((suite) => before.get(suite));
    if (test.currentRetry() > 0) await beginAgain(suites.slice(0, outermost + 1), this);
    const { error, unseen: within } = await attempt(body, this);
    if (!error) return;
    const unseen = suites.reduce((sum, suite) => sum + (before.get(suite) ?? 0), within);
    if (unseen > 0 && test.currentRetry() < LIMIT) {
      test.retries(test.currentRetry() + 1);
      reruns.push({ title: test.fullTitle(), message: error.message, unseen });
    }
    throw error;
  };
}

function wrapHook(body: Body, hook: Mocha.Hook): Body {
  return async function (this: Mocha.Context) {
    for (let left = LIMIT; ; left--) {
      const { error, unseen } = await attempt(body, this);
      before.set(hook.parent!, unseen);
      if (!error) return;
      if (unseen === 0 || left === 0) throw error;
      reruns.push({ title: hook.fullTitle(), message: error.message, unseen });
      hook.timeout(2 * hook.timeout());
    }
  };
}

function wrap(suite: Suite): void {
  for (const hook of suite.getHooks("beforeAll"))
    if (!suite.root && hook.fn?.length === 0) hook.fn = wrapHook(hook.fn as Body, hook);
  for (const test of suite.tests) if (test.fn?.length === 0) test.fn = wrapTest(test.fn as Body);
  for (const child of suite.suites) wrap(child as Suite);
}

export const mochaHooks = {
  beforeAll(this: Mocha.Context) {
    let suite = this.test!.parent!;
    while (suite.parent) suite = suite.parent;
    wrap(suite as Suite);
  },
};
