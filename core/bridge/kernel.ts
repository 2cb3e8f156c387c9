// Properties of the running kernel for plugins; and whether it is supported at all.
import { existsSync } from "node:fs";
import type { Native } from "../../native/index.ts";
import { WirespanError } from "../plugin/errors.ts";
import type { Kernel } from "../plugin/services.ts";
import { KernelSymbols } from "./symbols.ts";

/** `nameAddress` runs the program `name_address` of the tracker. */
export function createKernel(native: Native, nameAddress: (context: Uint8Array) => number): Kernel {
  const symbols = new KernelSymbols(nameAddress);
  return {
    enumNames: (name) => new Map(Object.entries(native.kernelEnum(name)).map(([key, value]) => [value, key])),
    symbol: (word, high) => symbols.name(word, high),
  };
}

/** Throws KERNEL_TOO_OLD, KERNEL_NO_BTF or NO_PROC. */
export function requireKernel(native: Native): void {
  const { kernel } = native.features();
  const [major = 0, minor = 0] = kernel.split(".").map(Number);
  if (major < 6 || (major === 6 && minor < 1)) {
    throw new WirespanError("KERNEL_TOO_OLD", `Linux ${kernel} is too old: wirespan requires 6.1 or later.`);
  }
  if (!existsSync("/sys/kernel/btf/vmlinux")) {
    throw new WirespanError(
      "KERNEL_NO_BTF",
      `Linux ${kernel} has no BTF (/sys/kernel/btf/vmlinux does not exist): wirespan requires a kernel built with CONFIG_DEBUG_INFO_BTF=y, as all major distributions do.`,
    );
  }
  if (!existsSync("/proc/self/status")) {
    throw new WirespanError(
      "NO_PROC",
      "/proc is not mounted: wirespan identifies processes by it; mount it (mount -t proc proc /proc).",
    );
  }
}
