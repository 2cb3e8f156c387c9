// Values of `const volatile` globals, packed according to BTF.

import { WirespanError } from "../plugin/errors.ts";
import type { ConstantStruct, ConstantValue } from "../plugin/plugin.ts";
import type { Layout } from "../plugin/skeleton.ts";

function misfit(path: string, layout: Layout, value: ConstantValue): never {
  throw new WirespanError(
    "PLUGIN_INVALID",
    `constant ${path}: a ${layout.kind} cannot hold ${JSON.stringify(value)}`,
  );
}

function write(into: DataView, at: number, layout: Layout, value: ConstantValue, path: string): void {
  if (value instanceof Uint8Array) {
    if (value.length > layout.size) misfit(path, layout, value);
    new Uint8Array(into.buffer, into.byteOffset).set(value, at);
    return;
  }
  switch (layout.kind) {
    case "int":
    case "bool":
    case "enum": {
      const number = Number(value);
      if (typeof value === "object" || !Number.isSafeInteger(number)) misfit(path, layout, value);
      if (layout.size === 8) into.setBigUint64(at, BigInt.asUintN(64, BigInt(number)), true);
      else if (layout.size === 4) into.setUint32(at, number, true);
      else if (layout.size === 2) into.setUint16(at, number, true);
      else into.setUint8(at, number);
      return;
    }
    case "array": {
      if (!Array.isArray(value) || value.length > layout.length) misfit(path, layout, value);
      for (const [i, each] of value.entries()) {
        write(into, at + i * layout.element.size, layout.element, each, `${path}[${i}]`);
      }
      return;
    }
    case "struct": {
      if (typeof value !== "object" || Array.isArray(value)) misfit(path, layout, value);
      for (const [name, each] of Object.entries(value as ConstantStruct)) {
        const field = layout.fields.find((f) => f.name === name);
        if (!field) misfit(`${path}.${name}`, layout, each);
        write(into, at + field.offset, field.layout, each, `${path}.${name}`);
      }
      return;
    }
    case "text":
      misfit(path, layout, value);
  }
}

/** Throws PLUGIN_INVALID if a value does not fit its variable. Numbers up to 2^53; variables without a value are 0. */
export function packConstant(name: string, layout: Layout, value: ConstantValue): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  write(new DataView(bytes.buffer), 0, layout, value, name);
  return bytes;
}
