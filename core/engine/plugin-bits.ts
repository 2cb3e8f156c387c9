// Each running plugin has one bit in the masks of a connection (wanted_* in bpf/include/wirespan/conn.h).
import { WirespanError } from "../plugin/errors.ts";

/** Number of bits in the masks. */
const MOST = 32;

/** A bit that no other plugin has. Throws LIMIT, naming the plugin, if there is none. */
export function freeBit(plugin: string, taken: ReadonlySet<number>): number {
  for (let i = 0; i < MOST; i++) if (!taken.has(2 ** i)) return 2 ** i;
  throw new WirespanError(
    "LIMIT",
    `${plugin}: ${MOST} plugins run already, and no more can; disable one of them (plugins.NAME.enabled: false)`,
  );
}
