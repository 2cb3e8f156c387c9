// What an OpenTelemetry SDK publishes about its process in memory (OTEP 4719): its resource, and how its threads
// publish contexts.
// https://github.com/open-telemetry/opentelemetry-specification/blob/main/oteps/profiles/4719-process-ctx.md
import { AddressSpace, type Mapping, mapsOf } from "./address-space.ts";
import { fieldsOf, MalformedMessage } from "./protobuf.ts";

export interface ProcessContext {
  /** The resource's attributes with text values, in order. */
  readonly resource: readonly (readonly [key: string, value: string])[];
  /** OTEP 4947's `threadlocal.schema_version`. */
  readonly threads: string | undefined;
}

/** Maximum bytes of a payload, which also contains the names of a process's thread attributes. */
const longestPayload = 32 * 1024;
const headerSize = 32;
const version = 2;

/** Where a context may be; a process has at most one. */
function mayHold({ name }: Mapping): boolean {
  return /^(\[anon_shmem:OTEL_CTX\]|\[anon:OTEL_CTX\]|\/memfd:OTEL_CTX)/.test(name);
}

/** The context of a process whose `folder` is /proc/PID. Throws MalformedMessage, and the error of open(2). */
export function processContextOf(folder: string): ProcessContext | undefined {
  // Few processes publish one: the memory of others is not opened.
  if (!mapsOf(folder).includes("OTEL_CTX")) return undefined;
  using space = new AddressSpace(folder);
  return readProcessContext(space, space.mappings());
}

/** Undefined: it publishes none, or not yet. Throws MalformedMessage if it is invalid. */
export function readProcessContext(
  space: Pick<AddressSpace, "read">,
  mappings: readonly Mapping[],
): ProcessContext | undefined {
  for (const { start } of mappings.filter(mayHold)) {
    // It may be being written.
    for (let attempt = 0; attempt < 3; attempt++) {
      const header = space.read(start, headerSize);
      if (header?.toString("latin1", 0, 8) !== "OTEL_CTX" || header.readUInt32LE(8) !== version) break;
      const publishedAt = header.readBigUInt64LE(16);
      if (publishedAt === 0n) continue;
      const size = header.readUInt32LE(12);
      if (size > longestPayload)
        throw new MalformedMessage(`its payload is longer than ${longestPayload} bytes`);
      const payload = space.read(Number(header.readBigUInt64LE(24)), size);
      const again = space.read(start, headerSize);
      if (again?.readBigUInt64LE(16) !== publishedAt) continue;
      if (!payload) throw new MalformedMessage("its payload cannot be read");
      return decode(payload);
    }
  }
  return undefined;
}

/** A ProcessContext: resource 1, attributes 2. A Resource: attributes 1. */
function decode(payload: Uint8Array): ProcessContext {
  const resource: [string, string][] = [];
  let threads: string | undefined;
  for (const { number, value } of fieldsOf(payload)) {
    if (typeof value === "number") continue;
    if (number === 1)
      for (const inner of fieldsOf(value)) {
        const pair = inner.number === 1 && typeof inner.value !== "number" ? pairOf(inner.value) : undefined;
        if (pair) resource.push(pair);
      }
    else if (number === 2) {
      const [key, said] = pairOf(value) ?? [];
      if (key === "threadlocal.schema_version") threads = said;
    }
  }
  return { resource, threads };
}

/** A KeyValue: key 1, value 2. An AnyValue: string_value 1. Undefined: its value is not a text. */
function pairOf(pair: Uint8Array): [key: string, value: string] | undefined {
  let key = "";
  let text: string | undefined;
  for (const { number, value } of fieldsOf(pair)) {
    if (typeof value === "number") continue;
    if (number === 1) key = utf8(value);
    else if (number === 2)
      for (const inner of fieldsOf(value))
        if (inner.number === 1 && typeof inner.value !== "number") text = utf8(inner.value);
  }
  return text === undefined ? undefined : [key, text];
}

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
