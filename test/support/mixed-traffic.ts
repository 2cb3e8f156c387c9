// One of each kind of TCP connection, always the same, in one namespace.
import type { Netns } from "./netns.ts";
import { type Line, run } from "./workload.ts";

const LOST = 9103;
const ABANDONED = 9104;
const LATE = 9105;
const REFUSED = 9106;

/**
 * Returns all reports of the programs. Cases with a random outcome (which side closes first, what happens to late data) are
 * left out. Slow cases run in parallel.
 */
export async function mixedTraffic(netns: Netns): Promise<readonly Line[]> {
  // With a linear schedule the number of SYNs would vary. Older kernels do not have this sysctl.
  await netns.run("sysctl", "-eqw", "net.ipv4.tcp_syn_linear_timeouts=0");
  for (const port of [LOST, ABANDONED]) await netns.rule("input", `tcp dport ${port}`, "drop");
  // Only the first SYN.
  await netns.rule("input", `tcp dport ${LATE} limit rate 1/day burst 1 packets`, "drop");
  const slow = [
    run(netns, "attempt", { port: LOST, synRetries: 1 }),
    run(netns, "clientCloses", { port: LATE }),
    run(netns, "abandoned", { port: ABANDONED }),
  ];
  const said: Line[] = [];
  for (const address of ["127.0.0.1", "::1"]) {
    said.push(...(await run(netns, "clientCloses", { address, count: 3, up: 550, down: 5500 })));
    said.push(...(await run(netns, "attempt", { address, port: REFUSED, count: 2 })));
    for (const name of ["halfClose", "reset", "unread"] as const)
      said.push(...(await run(netns, name, { address })));
  }
  for (const name of [
    "serverCloses",
    "nonblocking",
    "nonblockingRefused",
    "inheritedByChild",
    "emfile",
    "listen",
  ] as const) {
    said.push(...(await run(netns, name)));
  }
  said.push(...(await Promise.all(slow)).flat());
  await netns.settled();
  return said;
}
