// Reads every context that the BPF programs store, which no signal reports individually.

import { type AnyHandlers, ObjectReader } from "../../core/bridge/object-reader.ts";
import { type Native, native as real } from "../../native/index.ts";
import { type Kept, skeleton } from "../bpf/contexts.skel.ts";
import { built } from "./bpf.ts";
import { type Watch, watch } from "./engine.ts";

/** A context; `traceparent` as in the header, undefined if the bytes are known to have none. */
export interface KeptContext {
  readonly traceparent: string | undefined;
  readonly source: Kept["source"];
  readonly localPort: number;
  readonly peerPort: number;
  /** The sequence number of the first byte that this end sent. */
  readonly first: number;
  /** The offset of its first byte in everything that this end sent. */
  readonly offset: number;
  readonly direction: "sent" | "received" | "answer";
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function copyOf(kept: Kept): KeptContext {
  const { traceId, spanId, flags, source, localPort, peerPort, first, offset } = kept;
  const text = `00-${hex(traceId)}-${hex(spanId)}-${flags.toString(16).padStart(2, "0")}`;
  return {
    ...{ source, localPort, peerPort, first, offset },
    traceparent: source === "none" ? undefined : text,
    direction: kept.received ? "received" : kept.answers ? "answer" : "sent",
  };
}

/** An engine whose contexts can be inspected. */
export interface ContextWatch extends AsyncDisposable {
  readonly seen: Watch;
  /** All so far, in their order. */
  contexts(): readonly KeptContext[];
  /** The traceparents of one direction, in their order. */
  traceparents(direction: KeptContext["direction"]): readonly string[];
}

/** Attaches plugins, and waits until contexts are read. */
export async function watchContexts(
  plugins: readonly string[],
  settings: Readonly<Record<string, string>> = {},
  native: Native = real,
): Promise<ContextWatch> {
  await using made = new AsyncDisposableStack();
  const seen = made.use(
    await watch(plugins, { "correlate.enabled": "true", "self.exclude": "false", ...settings }),
  );
  const { error } = await seen.engine.correlated();
  if (error) throw error;
  const tracker = seen.engine.tracker.loaded.object;
  const object = await native.load("contexts", built("contexts"), {
    programs: ["sent", "received"],
    reuse: Object.fromEntries(["contexts", "streams", "conns"].map((name) => [name, tracker.map(name)])),
  });
  made.defer(() => object.close());
  for (const program of ["sent", "received"]) object.attach(program);
  const all: KeptContext[] = [];
  const feed = new ObjectReader(native, object, skeleton, {
    kept: (kept: Kept) => void all.push(copyOf(kept)),
  } as AnyHandlers);
  made.defer(() => {
    for (const ring of feed.rings) ring.close();
  });
  const contexts = (): readonly KeptContext[] => {
    feed.drain();
    return all;
  };
  const stack = made.move();
  return {
    seen,
    contexts,
    traceparents: (direction) =>
      contexts().flatMap((c) => (c.direction === direction && c.traceparent ? [c.traceparent] : [])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
