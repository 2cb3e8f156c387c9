// Where in the kernel packets were dropped: the merged stacks of the stored events. Tests: store/query/stacks.test.ts.
import type { StackLine, Stacks } from "../answers.ts";
import type { Filter } from "./filter.ts";
import type { Interval, Progress, Scan } from "./scan.ts";

const EVENT = "wirespan.tcp.packet.drop";

/** Where the handling of a packet or a system call begins: what was interrupted before is irrelevant. */
const BEGINS = new Set(["net_rx_action", "net_tx_action", "do_syscall_64", "el0_svc"]);

/** Maximum lines of a response, and the minimum fraction of the drops for a line. */
const MOST = 40;
const LEAST = 0.01;

interface Node {
  count: number;
  readonly inner: Map<string, Node>;
}

const node = (): Node => ({ count: 0, inner: new Map() });

/** For one reason, or for all if it is empty. Without stacks, by the function that dropped. */
export async function stacks(
  scan: Scan,
  interval: Interval,
  filter: Filter,
  reason: string,
  progress: Progress,
): Promise<Stacks> {
  const root = node();
  let withStack = 0;
  await scan.rows([EVENT], interval, filter, progress, ({ signal, rows }, i) => {
    if (reason !== "" && signal.text(rows, i, "wirespan.packet.drop.reason") !== reason) return;
    const stack = signal.text(rows, i, "code.stacktrace");
    if (stack !== undefined) withStack++;
    const frames = outermostFirst(
      stack ?? signal.text(rows, i, "wirespan.packet.drop.location") ?? "unknown",
    );
    root.count++;
    let at = root;
    for (const frame of frames) {
      let next = at.inner.get(frame);
      if (next === undefined) {
        next = node();
        at.inner.set(frame, next);
      }
      next.count++;
      at = next;
    }
  });
  return { total: root.count, withStack, lines: linesOf(root).slice(0, MOST) };
}

/** Function names from where the handling begins to where the packet was dropped. */
function outermostFirst(stack: string): string[] {
  const frames = stack.split("\n").map((frame) => frame.replace(/\+0x[\da-f]+.*$/, ""));
  const begin = frames.findIndex((frame) => BEGINS.has(frame));
  return frames.slice(0, begin < 0 ? undefined : begin + 1).reverse();
}

/** The more frequent first, each before what it calls. */
function linesOf(root: Node): StackLine[] {
  const lines: StackLine[] = [];
  const visit = ({ inner }: Node, depth: number) => {
    for (const [frame, child] of [...inner].sort(([, a], [, b]) => b.count - a.count)) {
      const share = child.count / root.count;
      if (share < LEAST) continue;
      lines.push({ frame, depth, count: child.count, share });
      visit(child, depth + 1);
    }
  };
  visit(root, 0);
  return lines;
}
