// Names of drop reasons. Numbers differ between kernels, so names come from the running one's types.
import type { Kernel } from "../../core/plugin/services.ts";

/** The enums of subsystems that have their own reasons, in the upper 16 bits. */
const SUBSYSTEMS: Readonly<Record<string, string>> = {
  MAC80211_UNUSABLE: "mac80211_drop_reason",
  MAC80211_MONITOR: "mac80211_drop_reason",
  OPENVSWITCH: "ovs_drop_reason",
};

/** Prefixes of the names. */
const PREFIX = /^(SKB_DROP_REASON_|SKB_|RX_DROP_|OVS_DROP_)/;

export function reasonNames(kernel: Kernel): (reason: number) => string {
  const core = kernel.enumNames("skb_drop_reason");
  const subsystems = kernel.enumNames("skb_drop_reason_subsys");
  const known = new Map<number, string>();

  function find(reason: number): string {
    const name = core.get(reason);
    if (name !== undefined) return name.replace(PREFIX, "");
    const subsystem = subsystems.get(reason >>> 16)?.replace("SKB_DROP_REASON_SUBSYS_", "");
    if (reason < 0x10000 || subsystem === undefined) return `REASON_${reason}`;
    const own = kernel.enumNames(SUBSYSTEMS[subsystem] ?? "").get(reason);
    return own?.replace(PREFIX, "") ?? `${subsystem}_${reason & 0xffff}`;
  }

  return (reason) => {
    let name = known.get(reason);
    if (name === undefined) {
      name = find(reason);
      known.set(reason, name);
    }
    return name;
  };
}
