// The list of subnets: `10.0.0.0/8`, or `10.0.0.0/8=corp` with a name.
import { parseCidr } from "../../core/plugin/address.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import type { ConstantStruct, InputRow } from "../../core/plugin/plugin.ts";

/** The name for traffic in none of the listed subnets. */
export const OTHER = "other";
/** Maximum number of names in the program, including that one (NAMES in tcpsubnet.bpf.c). */
const MOST = 1024;
/** Bits before the address in the program's key. */
const FAMILY_BITS = 32;

/** A block, as the program's key. */
interface Block extends ConstantStruct {
  readonly bits: number;
  readonly family: number;
  readonly address: Uint8Array;
}

export interface Subnets {
  /** By the index of the program's sums; the first is `other`. */
  readonly names: readonly string[];
  /** For the program's trie: several blocks may have the same name. */
  readonly rows: readonly InputRow[];
  /** Every address is in one of them. */
  readonly complete: boolean;
}

/** Throws CONFIG_INVALID with every invalid entry, by its position in the list. */
export function readSubnets(list: readonly string[]): Subnets {
  const faults: string[] = [];
  const indexes = new Map([[OTHER, 0]]);
  const blocks = new Map<string, { place: number; name: string }>();
  const rows: [key: Block, index: number][] = [];
  for (const [i, entry] of list.entries()) {
    const place = i + 1;
    const equals = entry.indexOf("=");
    const text = (equals < 0 ? entry : entry.slice(0, equals)).trim();
    const name = equals < 0 ? text : entry.slice(equals + 1).trim();
    const cidr = parseCidr(text);
    if (typeof cidr === "string" || name === "") {
      faults.push(
        `entry ${place}: ${typeof cidr === "string" ? cidr : `"${entry}" has no name behind the =`}`,
      );
      continue;
    }
    const block = `${cidr.family} ${cidr.bytes.join(".")}/${cidr.prefix}`;
    const before = blocks.get(block);
    if (before && before.name !== name) {
      faults.push(`entry ${place}: ${text} is entry ${before.place} already, as ${before.name}`);
    }
    blocks.set(block, { place, name });
    const index = indexes.get(name) ?? indexes.size;
    indexes.set(name, index);
    const family = cidr.family === "ipv4" ? 4 : 6;
    rows.push([{ bits: FAMILY_BITS + cidr.prefix, family, address: cidr.bytes }, index]);
  }
  if (indexes.size > MOST) faults.push(`${indexes.size - 1} names, but there is room for ${MOST - 1}`);
  if (faults.length) {
    throw new WirespanError("CONFIG_INVALID", `plugins.tcpsubnet.subnets: ${faults.join("; ")}`);
  }
  const whole = new Set(rows.flatMap(([block]) => (block.bits === FAMILY_BITS ? [block.family] : [])));
  return { names: [...indexes.keys()], rows, complete: whole.size === 2 };
}
