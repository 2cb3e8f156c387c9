// The CPUs to observe, in the form that the program reads.
import { WirespanError } from "../../core/plugin/errors.ts";

const BITS = 8192;

/** One bit per CPU, from `0` or `2-5`; throws CONFIG_INVALID. */
export function cpuBits(cpus: readonly string[]): Uint8Array {
  const bits = new Uint8Array(BITS / 8);
  for (const range of cpus) {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (!(first <= last && last < BITS)) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `plugins.softirqs.cpus: "${range}" is not a CPU number or a range such as 2-5`,
      );
    }
    for (let cpu = first; cpu <= last; cpu++) bits[cpu >> 3]! |= 1 << (cpu & 7);
  }
  return bits;
}
