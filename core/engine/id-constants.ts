// Inputs of the ids that the programs compute (docs/ids.md). Tests: test/system/ids.kernel.test.ts.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../../config/config.ts";
import type { ConstantValue } from "../plugin/plugin.ts";

/** The SipHash key that all hosts share: docs/ids.md. */
function idKey(salt: string): Uint8Array {
  return createHash("sha256").update(`wirespan ids v1\0${salt}`).digest().subarray(0, 16);
}

/** Differs with every boot of every host. */
function bootId(): Uint8Array {
  return createHash("sha256").update(readFileSync("/proc/sys/kernel/random/boot_id")).digest().subarray(0, 8);
}

export function idConstants(config: Config): Record<string, ConstantValue> {
  return { id_key: idKey(config.ids.salt), boot: bootId(), name_key: randomBytes(16) };
}
