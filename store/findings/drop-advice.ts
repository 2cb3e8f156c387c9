// Explanations of the reasons to drop a packet.

/** What to do about a reason to drop a packet, as enum skb_drop_reason names it. */
export function dropAdvice(reason: string): string {
  if (/NETFILTER/.test(reason))
    return "A rule of nftables or iptables drops them: list the rules with their counters.";
  if (/QDISC|QUEUE_PURGE/.test(reason))
    return "The queue of an interface is full: a sender exceeds its rate; see CPU and queues.";
  if (/SOCKET_RCVBUFF|PROTO_MEM|RCVBUF/.test(reason))
    return "The receiver's buffer is full: the application reads too slowly, or tcp_rmem is small.";
  if (/LISTEN|BACKLOG/.test(reason)) return "A listener's queue is full: see the listeners.";
  if (/CSUM/.test(reason)) return "Checksums are wrong: suspect a device or its offloading.";
  if (/NO_SOCKET/.test(reason)) return "They arrived for a port at which nothing listens.";
  if (/IP_RPFILTER|IP_OUTNOROUTES|ROUT/.test(reason))
    return "Routing refuses them: check routes and rp_filter.";
  return "See where in the kernel they were dropped.";
}
