// Thresholds of faults: for the page's findings, and for the dashboards and alerts on the same metrics. `least`: fewer
// events are not significant; `share`: of all; `seconds`: shorter is harmless; `factor`: times the hour before.

export const CONNECTS_FAILED = { least: 3, factor: 3 } as const;
export const SYNS_LOST = { least: 3, share: 0.02, factor: 3 } as const;
export const CONNECT_SLOW = { seconds: 0.005, factor: 3 } as const;
export const ACCEPT_SLOW = { seconds: 0.01, factor: 3 } as const;
/** Between the namespaces of a host whose CPUs are all busy, the median of calm traffic was 3.3 ms. */
export const RTT_LONG = { seconds: 0.005, factor: 2 } as const;
export const SEGMENTS_LOST = { least: 5, share: 0.01, factor: 3 } as const;
export const RESETS = { least: 5, share: 0.05, factor: 3 } as const;
/** Of the accept queue's limit. */
export const ACCEPT_QUEUE_FILLS = 0.8;
export const ACCEPT_ERRORS = { least: 3, factor: 3 } as const;
/** `harmless`: reasons that the kernel gives for packets that are not losses, such as duplicates. */
export const DROPS = {
  least: 5,
  factor: 3,
  harmless: ["TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_OLD_ACK", "TCP_CLOSE", "TCP_TOO_OLD_ACK"],
} as const;
/** Of one CPU. */
export const SOFTIRQ_BUSY = 0.6;
export const SOFTIRQ_WAITS = { seconds: 0.001, factor: 3 } as const;
export const NAPI_EXHAUSTED = { least: 10, share: 0.01 } as const;
export const TRANSMIT_FAILURES = { least: 5, factor: 3 } as const;
/** Sockets in a state that they should leave soon. */
export const PILE = 20;
