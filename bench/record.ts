// record.ts ENDPOINT: for each line on standard input, reads records of connections as if from a ring, turns them into spans
// and sends these; prints the CPU microseconds per span until the backend has acknowledged it.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { LinkedRecordCursor, skeleton } from "../bpf/tracker/tracker.skel.ts";
import { BootClock } from "../core/bridge/clock.ts";
import { RingReader } from "../core/bridge/ring-reader.ts";
import { ConnectionSpans } from "../core/engine/connection-spans.ts";
import { importPlugins } from "../core/engine/discover.ts";
import { Sampling } from "../core/engine/sampling.ts";
import type { Fields, Place } from "../core/plugin/skeleton.ts";
import type { Ring } from "../native/index.ts";
import { createExporters } from "../test/support/create-exporters.ts";

/** Spans per input line. */
export const SPANS = 40_960;
/** Records per read of a ring: 50 ms at 5,000 connections per second. */
const READ = 1024;
/** The ring is read again when no more than this many bytes are queued. */
const MOST_QUEUED = 1024 * 1024;
/** Bytes of the kernel's header before each record. */
const HEADER = 8;

const silent = { error: console.error, warn: console.warn, info() {}, debug() {} };

type Given = { readonly [field: string]: number | string | readonly number[] | Given };

/** Writes values by field name; enums by number. */
function put(fields: Fields, bytes: Uint8Array<ArrayBuffer>, start: number, given: Given): void {
  for (const [name, value] of Object.entries(given)) putOne(fields[name]!, bytes, start, value);
}

function putOne(place: Place, bytes: Uint8Array<ArrayBuffer>, start: number, value: Given[string]): void {
  const at = start + place.at;
  const view = new DataView(bytes.buffer);
  if (typeof value === "string") bytes.set(Buffer.from(value), at);
  else if (Array.isArray(value)) bytes.set(value, at);
  else if (typeof value === "object") put("fields" in place ? place.fields : {}, bytes, at, value as Given);
  else if ("names" in place) view.setUint32(at, value, true);
  else if ("is" in place && place.is.endsWith("64")) view.setBigUint64(at, BigInt(value), true);
  else if ("is" in place && place.is.endsWith("32")) view.setUint32(at, value, true);
  else if ("is" in place && place.is.endsWith("16")) view.setUint16(at, value, true);
  else bytes[at] = value;
}

const id = (length: number, seed: number) => Array.from({ length }, (_, i) => (seed * 7 + i * 13 + 1) & 255);

/** Alternately two connection spans, a handshake and an accepted connection. */
function recordOf(i: number): Given {
  const kind = i % 4;
  const at = 3600e9 + i * 1000;
  const worker = i % 40;
  return {
    connection: {
      span: Math.max(0, kind - 1),
      wanted: 0xff,
      traceId: id(16, i),
      spanId: id(8, i),
      ...(kind > 0 && { parentSpanId: id(8, i + 1) }),
      conn: {
        ...{ cookie: 100_000 + i, netnsCookie: 4097, netns: 4_026_531_840 },
        ...{ openedAt: at, establishedAt: at + 45_000, acceptedAt: at + 80_000, closedAt: at + 945_123 },
        ends: {
          ...{ family: 4, local: [10, 0, 0, i % 200], peer: [10, 0, i % 5, i % 250] },
          ...{ localPort: 32_768 + (i % 20_000), peerPort: 8080 },
        },
        owner: {
          ...{ pid: 1000 + worker, tid: 1000 + worker, uid: 1000, workload: 2 + worker },
          comm: `worker-${worker}`,
        },
        ...{ direction: 1 + (i & 1), ownerSource: 1 + (i & 1) * 2, closeReason: 1 + (i & 1), acceptFd: 7 },
      },
      traffic: {
        ...{ sentBytes: 1234 * i, receivedBytes: 777 * i, sentSegments: 9, receivedSegments: 8 },
        ...{ srttUs: 120, rttVarUs: 60, minRttUs: 30, cwnd: 10 },
      },
    },
  };
}

/** The content of a ring with that many records. */
function batchOf(records: number): Uint8Array<ArrayBuffer> {
  const { size } = skeleton.records.spans;
  const step = HEADER + ((size + 7) & ~7);
  const bytes = new Uint8Array(records * step);
  for (let i = 0; i < records; i++) {
    new DataView(bytes.buffer).setUint32(i * step, size, true);
    put(LinkedRecordCursor.fields, bytes, i * step + HEADER, recordOf(i));
  }
  return bytes;
}

async function main(endpoint: string): Promise<void> {
  const common = { headers: {}, tls: {}, compression: "none", timeoutMs: 10_000 } as const;
  const fanout = await createExporters(
    {
      bench: {
        ...{ ...common, type: "otlp_grpc", endpoint, queueBytes: 256 * 1024 * 1024, signals: ["traces"] },
      },
    },
    silent,
  );
  const workloads = Array.from({ length: 64 }, (_, number) => ({
    ...{ number, executable: `worker-${number}`, series: {} },
    resource: { attributes: { "service.name": `worker-${number}` } },
  }));
  const workload = (number: number) => workloads[number & 63]!;
  const clock = new BootClock({ bootOffset: () => ({ sec: 1_790_000_000, nsec: 0 }), bootNow: () => 1e9 });
  const spans = new ConnectionSpans(
    fanout,
    clock,
    { of: (task) => workload(task.workload), waits: () => false, workload },
    { of: () => undefined, attributes: () => ({}) as never },
    {
      ...{ scope: { name: "wirespan.connections", version: "0" }, host: workload(0).resource, peers: [] },
      ...{ kind: "internal", inTraceRate: 0, sampling: new Sampling({ ratio: 1, slow: 0 }) },
    },
  );
  const { plugins } = await importPlugins(["tcplife", "tcpconnlat", "tcpaccept", "tcptracer"]);
  for (const [bit, plugin] of plugins.entries()) {
    const use = { connections: spans, clock, series: () => ({}) };
    const { enrich } = plugin.start({ config: {}, emit: {}, use } as never);
    spans.request(1 << bit, { spans: plugin.spans ?? {}, enrich });
  }
  const bytes = batchOf(READ);
  const words = new Uint32Array(bytes.buffer);
  const ring = {
    drain(each: (words: Uint32Array, bytes: Uint8Array, length: number) => void) {
      each(words, bytes, bytes.length);
      return READ;
    },
  };
  const reader = new RingReader(ring as unknown as Ring, skeleton.records.spans, (record) =>
    spans.take(record as LinkedRecordCursor),
  );
  let due = 0;
  for await (const _ of createInterface({ input: process.stdin })) {
    const before = process.cpuUsage();
    for (let i = 0; i < SPANS; i += READ) {
      reader.drain();
      do await sleep(4);
      while (fanout.exporters[0]!.queue.bytes > MOST_QUEUED);
    }
    await fanout.flush(60_000);
    const { user, system } = process.cpuUsage(before);
    due += SPANS;
    if (fanout.exporters[0]!.counts("span").acknowledged !== due) throw new Error("spans were lost");
    console.log((user + system) / SPANS);
  }
  process.exit();
}

if (import.meta.main) await main(process.argv[2]!);
