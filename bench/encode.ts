// Encoding spans to OTLP, with each encoder in its own process, in turn.
import { execFileSync, fork, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AGENT_FLAGS } from "../test/support/agent.ts";
import { end } from "../test/support/netns.ts";
import { type Figures, median, type Row } from "./figures.ts";
import { SPANS } from "./spans.ts";

interface Way {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
}

interface Running {
  readonly name: string;
  /** CPU microseconds per span, less the cost of creating it. */
  take(): Promise<number>;
  stop(): Promise<void>;
}

function start({ name, command: [program, ...args] }: Way): Running {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name,
    async take() {
      child.stdin.write("\n");
      const line = await said.next();
      if (line.done) throw new Error(`${name} ended`);
      const [all, making = 0] = line.value.split(" ").map(Number) as [number, number?];
      return all - making;
    },
    stop: () => end(child),
  };
}

const RECORD = "record";
const GO = "Go SDK";

const NET = "net of making the objects";

/** Undefined without Go. */
function goWay(endpoint: string): Way | undefined {
  if (spawnSync("go", ["version"]).error) return undefined;
  const program = join(import.meta.dirname, "build/otel-sdk");
  execFileSync("go", ["build", "-o", program, "."], {
    cwd: join(import.meta.dirname, "go"),
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { name: GO, command: [program, endpoint, String(SPANS)] };
}

export async function encodeRows(rounds: number): Promise<Row[]> {
  const sink = fork(new URL("./otlp-discard.ts", import.meta.url));
  const port = await new Promise((resolve) => sink.once("message", resolve));
  const endpoint = `http://127.0.0.1:${port}`;
  const script = join(import.meta.dirname, "spans.ts");
  const node = (name: string, way: string, ...flags: string[]): Way => ({
    name,
    command: [process.execPath, ...flags, script, way, endpoint],
  });
  const ways = [
    node("encode", "encode", ...AGENT_FLAGS),
    node("send", "send", ...AGENT_FLAGS),
    {
      name: RECORD,
      command: [process.execPath, ...AGENT_FLAGS, join(import.meta.dirname, "record.ts"), endpoint],
    } satisfies Way,
    node("SDK: serializer", "sdkSerialize"),
    node("SDK: tracer, batches, gRPC", "sdkSend"),
    goWay(endpoint),
  ];
  const running = ways.filter((way) => way !== undefined).map(start);
  const figures = new Map<string, number[]>(running.map(({ name }) => [name, []]));
  try {
    for (let round = -2; round < rounds; round++) {
      for (const way of running) {
        const figure = await way.take();
        if (round >= 0) figures.get(way.name)!.push(figure);
      }
    }
  } finally {
    for (const way of running) await way.stop();
    sink.kill();
  }
  const peersOf = (...names: string[]) =>
    names.flatMap((name) => {
      const taken = figures.get(name);
      return taken ? [{ name, figures: taken }] : [];
    });
  const row = (measure: string, ours: Figures, peers: Row["peers"], most: number, note = NET): Row => ({
    measure,
    unit: "µs CPU",
    ours,
    peers,
    goal: `≤ ${most}`,
    met: median(ours) <= most,
    note,
  });
  return [
    row("span of 20 attributes to OTLP bytes", figures.get("encode")!, peersOf("SDK: serializer"), 1),
    row(
      "the same to the wire, closed loop",
      figures.get("send")!,
      peersOf("SDK: tracer, batches, gRPC", GO),
      2,
    ),
    row(
      "ring record of a connection's span to bytes that the backend acknowledged",
      figures.get(RECORD)!,
      peersOf("SDK: tracer, batches, gRPC", GO),
      2.5,
      "with identity and all attributes; the peers begin with a span's values",
    ),
  ];
}
