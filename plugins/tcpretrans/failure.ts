// Why a retransmission did not leave the host, from what __tcp_retransmit_skb answers.

/** Negative: an errno. Positive: what the device's queue said (NET_XMIT_DROP). */
const TYPES = {
  // Its first copy waits in this host's own queue.
  "-16": "queued",
  // The receiver's window has room for none of it.
  "-11": "window_closed",
  "-12": "no_memory",
  "-105": "no_memory",
  "-101": "network_unreachable",
  "-113": "host_unreachable",
  // A netfilter or cgroup program dropped it on its way out.
  "-1": "filtered",
  "1": "queue_full",
} as const;

export type FailureType = (typeof TYPES)[keyof typeof TYPES] | "_OTHER";

export const FAILURES = [
  "queued",
  "window_closed",
  "no_memory",
  "network_unreachable",
  "host_unreachable",
  "filtered",
  "queue_full",
  "_OTHER",
] as const satisfies readonly FailureType[];

/** Undefined: it left. */
export function failureOf(error: number): FailureType | undefined {
  if (error === 0) return undefined;
  return (TYPES as Readonly<Record<string, FailureType>>)[String(error)] ?? "_OTHER";
}
