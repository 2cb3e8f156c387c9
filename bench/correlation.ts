// What reading trace contexts costs per message, segment and head, and what loading the programs costs.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { engineParts } from "../agent/engine-parts.ts";
import { load, selection } from "../cli/setup.ts";
import { installedPlugins } from "../core/engine/discover.ts";
import { parts } from "../core/engine/parts.ts";
import { programsOf } from "../core/engine/readings.ts";
import { native } from "../native/index.ts";
import type { Netns } from "../test/support/netns.ts";
import { type Contender, empty, forget, log, type Watching } from "./contenders.ts";
import { differences, lowest, median, type Row } from "./figures.ts";
import * as storm from "./storm.ts";
import { tlsRows } from "./tls.ts";

const root = join(import.meta.dirname, "..");
/** Messages per run; there are as many answers. */
const MESSAGES = 20_000;

const SENDS = { on_send: "empty_send", on_sendmsg_locked: "empty_send_function" } as const;

async function engineOf(plugins: readonly string[]) {
  const flags = [
    ...selection(plugins, "bench"),
    // Otherwise answers would have the requests' contexts, and would not count as messages without one.
    { path: "correlate.inbound", value: "never", flag: "bench" },
  ];
  const { config, plugins: found } = await load(undefined, flags);
  return engineParts({ config, plugins: found, log }).resolve(parts.engine);
}

/** Programs that read contexts, and nothing else. */
const reading: Contender = {
  name: "contexts",
  async start(): Promise<Watching> {
    const engine = await engineOf([]);
    engine.run(forget);
    const { error } = await engine.correlated();
    if (error) throw error;
    const programs = () => programsOf(engine.objects).filter(({ owner }) => owner === "correlation");
    return {
      runs: () => programs().map((p) => ({ hook: p.name, count: p.runCount, ns: p.runTimeNs })),
      stop: async () => engine.close(),
    };
  },
};

/** Nanoseconds per run of the program on a hook; undefined if it is not attached. */
async function perRun(watching: Watching, hooks: readonly string[], run: () => Promise<void>) {
  await run();
  const before = watching.runs();
  await run();
  const after = watching.runs();
  const at = after.findIndex(({ hook }) => hooks.includes(hook));
  if (at < 0) return undefined;
  return (after[at]!.ns - before[at]!.ns) / (after[at]!.count - before[at]!.count);
}

async function messageRows(netns: Netns, rounds: number): Promise<Row[]> {
  const [opaqueSend, opaqueSegment, emptySend, emptySegment, heads]: number[][] = [[], [], [], [], []];
  const statistics = native.enableStats();
  try {
    for (let round = 0; round < rounds; round++) {
      const ours = await reading.start();
      const opaque = () => storm.messages(netns, MESSAGES, "opaque");
      const send = Object.keys(SENDS).find((name) => ours.runs().some(({ hook }) => hook === name));
      if (send === undefined) throw new Error("messages that are sent are not watched here");
      const ofSend = await perRun(ours, [send], opaque);
      const ofSegment = await perRun(ours, ["on_segment"], opaque);
      // Half of the messages are answers, in which nothing is read.
      const both = await perRun(ours, [send], () => storm.messages(netns, MESSAGES, "head"));
      await ours.stop();
      const floor = SENDS[send as keyof typeof SENDS];
      const programs = [floor, ...(ofSegment === undefined ? [] : ["empty_segment"])];
      const nothing = await empty(...programs).start();
      const at = floor === "empty_send" ? "tp_btf/tcp_sendmsg_locked" : "fentry/tcp_sendmsg_locked";
      const sendFloor = await perRun(nothing, [at], opaque);
      const segmentFloor = await perRun(nothing, ["tp_btf/tcp_probe"], opaque);
      await nothing.stop();
      opaqueSend!.push(ofSend!);
      emptySend!.push(sendFloor!);
      heads!.push(2 * both! - ofSend!);
      if (ofSegment !== undefined && segmentFloor !== undefined) {
        opaqueSegment!.push(ofSegment);
        emptySegment!.push(segmentFloor);
      }
    }
  } finally {
    statistics.close();
  }
  const row = (measure: string, ours: number[], nothing: number[], goal: number): Row => ({
    measure: `${measure}, net of empty`,
    unit: "ns",
    ours: differences(ours, nothing),
    peers: [],
    goal: `≤ ${goal}`,
    met: median(differences(ours, nothing)) <= goal,
    note: `empty ${median(nothing).toFixed(0)} ns`,
  });
  return [
    row("a message of a connection without contexts", opaqueSend!, emptySend!, 40),
    ...(opaqueSegment!.length ? [row("a segment of one", opaqueSegment!, emptySegment!, 75)] : []),
    {
      measure: "a request of 90 bytes with a traceparent, as it is sent",
      unit: "ns",
      ours: heads!,
      floor: { name: "empty program", figures: emptySend! },
      peers: [],
      goal: "≤ 350",
      met: median(heads!) <= 350,
    },
  ];
}

/** `struct taken` of bench/bpf/head.bpf.c. */
async function headRow(rounds: number): Promise<Row> {
  const path = join(root, "bench/bpf/head.bpf.o");
  execFileSync("make", ["-s", "-C", root, "bench/bpf/head.bpf.o"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const object = await native.load("head", readFileSync(path), { programs: ["measure"] });
  const [ours, nothing]: number[][] = [[], []];
  const times = 20_000;
  try {
    for (let round = 0; round < rounds; round++) {
      const taken = BigUint64Array.of(BigInt(times), 0n, 0n, 0n);
      object.run("measure", new Uint8Array(taken.buffer));
      const [, searched, idle, found] = Array.from(taken, Number);
      if (found !== times) throw new Error(`${found} of ${times} heads were read`);
      ours!.push(searched! / times);
      nothing!.push(idle! / times);
    }
  } finally {
    object.close();
  }
  return {
    measure: "a traceparent at the end of a head of 1 KiB is found",
    unit: "ns",
    ours: ours!,
    floor: { name: "a lookup of its memory", figures: nothing! },
    peers: [],
    goal: "≤ 300",
    met: lowest(ours!) <= 300,
  };
}

/** CPU milliseconds of this process and of the kernel on its behalf. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function loadRow(rounds: number): Promise<Row> {
  const [ours, plugins]: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<typeof engineOf>>>();
    plugins!.push(await cpuOf(async () => resolve(await engineOf(installedPlugins()))));
    const engine = await promise;
    ours!.push(
      await cpuOf(async () => {
        engine.run(forget);
        await engine.correlated();
      }),
    );
    engine.close();
  }
  return {
    measure: "programs for contexts are loaded, after all is attached, CPU",
    unit: "ms",
    ours: ours!,
    floor: { name: `the tracker and ${installedPlugins().length} plugins`, figures: plugins! },
    peers: [],
    goal: "≤ 300",
    met: median(ours!) <= 300,
  };
}

export async function correlationRows(netns: Netns, rounds: number): Promise<Row[]> {
  return [
    ...(await messageRows(netns, rounds)),
    await headRow(rounds),
    ...(await tlsRows(rounds)),
    await loadRow(rounds),
  ];
}
