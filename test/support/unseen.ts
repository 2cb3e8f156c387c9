// Unseen events that the agents of this test process have found: with them a test may fail without a defect.

/** Those that run: the count so far, after a last look where `settled` asks for one. */
type Source = (settled: boolean) => number | Promise<number>;

const running = new Set<Source>();
let ended = 0;

/** An agent that starts; the returned function must be called when it ends. */
export function countUnseen(source: Source): () => Promise<void> {
  running.add(source);
  return async () => {
    if (!running.has(source)) return;
    const count = await source(true);
    running.delete(source);
    ended += count;
  };
}

/** Events that were shown to no agent since this process began, with a last look at all that run. */
export async function unseenSoFar(settled: boolean): Promise<number> {
  const counts = await Promise.all([...running].map((source) => source(settled)));
  return counts.reduce((sum, count) => sum + count, ended);
}
