import assert from "node:assert/strict";
import { signals } from "../../plugins/tcpdrop/signals.ts";
import { declarationOf, TestStore } from "../../test/support/page.ts";
import type { Stacks } from "../answers.ts";
import { Api } from "../http/api.ts";

const DROP = declarationOf(signals.drop);
const NOW = 1_800_000_000;

const stack = (...frames: string[]) => frames.map((frame, i) => `${frame}+0x${i + 1}f`).join("\n");
/** What a softirq interrupted is not part of the reason for a drop. */
const INTERRUPTED = ["handle_softirqs", "do_user_addr_fault"];

describe("stacks of drops", () => {
  let store: TestStore;
  before(() => {
    store = new TestStore({ now: () => NOW });
    const drop = (n: number, reason: string, more: Record<string, string>) =>
      Array.from({ length: n }, (_, i) => ({
        ...{ start: NOW - 10 + i / 100, duration: 0, trace: i, service: "db" },
        attributes: {
          "wirespan.packet.drop.reason": reason,
          "wirespan.packet.drop.location": "f+0x1",
          ...more,
        },
      }));
    const queue = stack(
      "tcp_data_queue",
      "tcp_rcv_established",
      "tcp_v4_rcv",
      "net_rx_action",
      ...INTERRUPTED,
    );
    const backlog = stack("tcp_add_backlog", "tcp_v4_rcv", "net_rx_action", "handle_softirqs");
    store.spans(DROP, [
      ...drop(16, "SOCKET_RCVBUFF", { "code.stacktrace": queue }),
      ...drop(9, "SOCKET_RCVBUFF", { "code.stacktrace": backlog }),
      ...drop(5, "NO_SOCKET", { "wirespan.packet.drop.location": "tcp_v4_rcv+0x91" }),
    ]);
  });
  after(() => store[Symbol.dispose]());

  const ask = async (query: string) =>
    (await new Api(store.store).answer("stacks", new URLSearchParams(query))).body as Stacks;
  const shown = ({ lines }: Stacks) => lines.map(({ depth, frame, count }) => `${depth} ${frame} ${count}`);

  it("form one tree, callers first, starting where the packet's handling begins", async () => {
    const found = await ask("last=60&reason=SOCKET_RCVBUFF");
    assert.deepEqual([found.total, found.withStack], [25, 25]);
    assert.deepEqual(shown(found), [
      "0 net_rx_action 25",
      "1 tcp_v4_rcv 25",
      "2 tcp_rcv_established 16",
      "3 tcp_data_queue 16",
      "2 tcp_add_backlog 9",
    ]);
    assert.equal(found.lines[2]!.share, 0.64);
  });

  it("contain only the functions if events have no stacks", async () => {
    const found = await ask("last=60&reason=NO_SOCKET");
    assert.deepEqual([found.withStack, ...shown(found)], [0, "0 tcp_v4_rcv 5"]);
  });

  it("are those that the filter selects", async () => {
    assert.equal((await ask("last=60")).total, 30);
    assert.equal((await ask("last=60&q=service:web")).total, 0);
  });
});
