// `wirespan trace <tool>`: one plugin, live, in the terminal or as lines for another program.

import { engineParts } from "../../agent/engine-parts.ts";
import { begin, endWithin, requestShutdown, throwIfFailed } from "../../agent/life.ts";
import { announceReady } from "../../agent/ready.ts";
import { standardError, standardOutput } from "../../core/base/output.ts";
import { Engine } from "../../core/engine/engine.ts";
import { degradation } from "../../core/engine/missing-hooks.ts";
import { parts } from "../../core/engine/parts.ts";
import { Printed } from "./printed.ts";
import type { TraceRequest } from "./request.ts";
import { TraceSink } from "./sink.ts";

/** Runs until a signal, or until the duration or the count is reached; throws what prevents the plugin from running. */
export async function runTrace(request: TraceRequest): Promise<void> {
  const { plugin, log, flags, format, signals, interfaces, durationMs, count } = request;
  // Spans in applications' traces are not rows of a tool.
  const config = { ...request.config, correlate: { ...request.config.correlate, enabled: false } };
  const ended = begin();
  await using container = engineParts({ config, plugins: [plugin], log });
  const engine = await Promise.race([container.resolve(parts.engine), ended]);
  // Whatever is partly attached ends with the process.
  if (!(engine instanceof Engine)) return throwIfFailed(engine);
  const printed = new Printed(standardOutput());
  void standardOutput().closed.then(requestShutdown);
  throwFailed(engine);
  for (const {
    plugin: { name },
    hooks,
  } of engine.runners) {
    const lack = degradation({ name, hooks });
    if (lack !== undefined) standardError().write(`wirespan: ${lack}\n`);
  }
  const terminal = standardOutput().isTTY && {
    columns: process.stdout.columns || 80,
    colours: !process.env.NO_COLOR,
  };
  const write = (text: string) => printed.write(text);
  const sink = new TraceSink({
    plugin,
    flags,
    format,
    signals,
    ...(interfaces && { interfaces }),
    ...(terminal && { terminal }),
    write,
  });
  // Before the first row can come.
  sink.start();
  engine.run(sink);
  throwFailed(engine);
  await engine.collect();
  announceReady([plugin.name]);
  let collections = 0;
  const collect = async () => {
    sink.metrics(await engine.collect());
    if (++collections === count) requestShutdown();
  };
  const timer = setInterval(() => void collect(), config.metrics.interval);
  const stop = durationMs === undefined ? undefined : setTimeout(requestShutdown, durationMs);
  const ending = await ended;
  const late = endWithin(GRACE);
  clearInterval(timer);
  clearTimeout(stop);
  printed.keepAll();
  if (collections !== count) await collect();
  await engine.settle();
  engine.detach();
  sink.flush();
  for (const loss of engine.losses) standardError().write(`wirespan: ${loss}\n`);
  clearTimeout(late);
  await printed.finish();
  throwIfFailed(ending);
}

function throwFailed({ failed: [first] }: Engine): void {
  if (first) throw first.error;
}

/** Time limit of the last collection, milliseconds. */
const GRACE = 5000;
