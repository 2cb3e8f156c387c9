// Unseen events that the agents of this test process have counted; they can make a test fail without a defect.

/** Running agents: the count so far, after a final check if `settled` is true. */
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

/** Events since this process began that were shown to no agent, after a final check of all running agents. */
export async function unseenSoFar(settled: boolean): Promise<number> {
  const counts = await Promise.all([...running].map((source) => source(settled)));
  return counts.reduce((sum, count) => sum + count, ended);
}
