// When the heap is collected. V8 would begin to mark a few times a minute for as long as the agent idles, because each
// collection of metrics allocates a little: nine tenths of what an idle agent takes. So cli/node-flags turns that off, and
// the agent does it by count.

/** Milliseconds; by then the start is over, which leaves the parsed configuration and buffers of the loads. */
const AFTER_START = 4000;

/** Collections of metrics for one of the heap. Under load V8 collects by itself, when the heap has grown. */
const EVERY = 50;

/** Collects the heap soon, and again when what is returned was called often enough. */
export function collectGarbage(): () => void {
  const { gc } = globalThis;
  // Started without cli/node-flags: V8 does it all.
  if (!gc) return () => {};
  // Everything that can go goes this once, pages that V8 keeps for later too: 10 MB.
  const all = { type: "major", execution: "sync", flavor: "last-resort" } as const;
  setTimeout(() => gc(all), AFTER_START).unref();
  let calls = 0;
  return () => {
    if (++calls % EVERY === 0) gc();
  };
}
