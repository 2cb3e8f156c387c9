// `wirespan trace <tool>`: one plugin, live, in the terminal or as lines for another program.
import { bpf as coreBpf } from "../../bpf/conn.gen.ts";
import { native } from "../../native/index.ts";
import { sayReady } from "../agent.ts";
import { Engine } from "../engine.ts";
import type { Plugin } from "../plugin.ts";
import type { TraceRequest } from "./request.ts";
import { TraceSink } from "./sink.ts";

/** Runs until a signal, the duration or the count is over; throws what keeps the plugin from running. */
export async function runTrace(request: TraceRequest): Promise<void> {
  const { plugin, config, log, flags, format, signals, durationMs, count } = request;
  const over = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => over.resolve());
  const engine = await Engine.attach({ config, plugins: [plugin], native, log });
  try {
    const [failed] = engine.failed;
    if (failed) throw failed.error;
    const write = (text: string) => void process.stdout.write(text);
    const terminal = process.stdout.isTTY === true;
    const sink = new TraceSink({ plugin, flags, format, signals, terminal, write });
    // Before the first row can come.
    sink.start();
    engine.run(sink);
    await engine.collect();
    sayReady([plugin.name]);
    let collections = 0;
    const collect = async () => {
      sink.metrics(await engine.collect());
      if (++collections === count) over.resolve();
    };
    const timer = setInterval(() => void collect(), config.metrics.interval);
    const end = durationMs === undefined ? undefined : setTimeout(() => over.resolve(), durationMs);
    await over.promise;
    clearInterval(timer);
    clearTimeout(end);
    if (collections !== count) await collect();
    engine.detach();
    sink.flush();
    sayLost(engine, plugin);
  } finally {
    engine.close();
  }
}

/** What is missing among the rows, and why: nothing is lost in silence. */
function sayLost(engine: Engine, { name: plugin, bpf }: Plugin): void {
  for (const [owner, counters] of Object.entries(engine.accounts())) {
    for (const [name, count] of Object.entries(counters)) {
      if (!name.startsWith("lost_") || count === 0) continue;
      const what = name.slice(5);
      const wires = owner === plugin ? bpf.wires : coreBpf.wires;
      const setting = owner === plugin ? `plugins.${plugin}.ring.bytes` : "ring.core";
      const remedy = what in wires ? `; a larger ring may hold them: --set ${setting}=128MiB` : "";
      process.stderr.write(
        `wirespan: ${count} ${what.replaceAll("_", " ")} of ${owner} found no room and are missing${remedy}\n`,
      );
    }
  }
}
