import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { type Plugin, plugin } from "../../core/plugin/plugin.ts";
import type { Event, Metric, MetricSpec, Point, Span } from "../../core/plugin/signals.ts";
import { elapsed } from "../../core/plugin/trace/columns.ts";
import type { Flags, TraceView } from "../../core/plugin/trace/view.ts";
import { instant } from "../../test/support/telemetry.ts";
import type { TraceFormat } from "./request.ts";
import { TraceSink } from "./sink.ts";

const resource = { attributes: { "service.name": "shop" } };
const scope = { name: "wirespan.tcplife", version: "0" };
const at = instant;
const bytes = (length: number, last: number) =>
  Uint8Array.from({ length }, (_, i) => (i === length - 1 ? last : 0xab));

const seconds: MetricSpec = {
  signal: "metric",
  instrument: "counter",
  name: "wirespan.softirq.time",
  unit: "s",
  description: "",
  attributes: { vector: { type: "string", requirement: "required", description: "" } },
};

function pluginWith(trace: Partial<TraceView>): Plugin {
  return plugin({
    name: "tcplife",
    summary: "",
    config: {},
    skeleton: { hash: "", programs: {}, constants: {}, counters: [], records: {} },
    probes: {},
    signals: { seconds },
    start: () => ({}),
    trace: {
      options: [],
      columns: ({ wide }) => [
        { title: "PID", width: 5, cell: (row) => row.attributes["process.pid"] as number | undefined },
        { title: "COMM", width: 6, cell: (row) => row.attributes["thread.name"] as string | undefined },
        { title: "MS", width: 6, align: "right", cell: (row) => ((row.duration ?? 0) * 1000).toFixed(1) },
        ...(wide
          ? [{ title: "ERROR", width: 5, cell: (row: { error?: string | undefined }) => row.error }]
          : []),
      ],
      rows: "tcp connection",
      ...trace,
    },
  });
}

function span(attributes: Span["attributes"], more: Partial<Span> = {}): Span {
  return {
    spec: { signal: "span", name: "tcp connection", description: "", attributes: {} },
    scope,
    resource,
    traceId: bytes(16, 1),
    spanId: bytes(8, 2),
    kind: "internal",
    start: at(1_700_000_000, 999_999_999),
    end: at(1_700_000_001, 5_000_000),
    attributes,
    ...more,
  };
}

const event = (name: string): Event => ({
  spec: { signal: "event", name, severity: "INFO", description: "", attributes: {} },
  scope,
  resource,
  time: at(1, 7),
  attributes: { "process.pid": 4 },
});

function metric(time: number, points: readonly Partial<Point>[], spec = seconds): Metric {
  const complete = points.map(
    (point): Point => ({ attributes: { vector: "net_rx" }, start: at(1), value: 0, ...point }),
  );
  return { spec, scope, resource, time: at(time), points: complete };
}

/** What the sink has written after it was fed. */
async function written(
  given: {
    view?: Partial<TraceView>;
    format: TraceFormat;
    signals?: boolean;
    flags?: Flags;
    terminal?: { columns: number; colours: boolean };
    interfaces?: readonly string[];
  },
  feed: (sink: TraceSink) => void,
): Promise<string> {
  let text = "";
  const { view = {}, format, signals = false, flags = {}, terminal, interfaces } = given;
  const write = (more: string) => {
    text += more;
  };
  const sink = new TraceSink({
    plugin: pluginWith(view),
    flags,
    format,
    signals,
    ...(terminal && { terminal }),
    ...(interfaces && { interfaces }),
    write,
  });
  sink.start();
  feed(sink);
  await turn();
  return text;
}

const parsed = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("trace of a tool whose rows are spans", () => {
  const feed = (sink: TraceSink) => {
    sink.span(span({ "process.pid": 7, "thread.name": "curl" }));
    sink.span(span({ "process.pid": 123456, "thread.name": 'a"b,\x1b[2J' }, { error: "timed out" }));
    sink.span(
      span(
        { "process.pid": 8 },
        { spec: { signal: "span", name: "tcp accept", description: "", attributes: {} } },
      ),
    );
    sink.event(event("checkpoint"));
  };

  it("prints a table; wide values push the columns after them, and control characters are escaped", async () => {
    assert.equal(
      await written({ format: "table" }, feed),
      `PID   COMM       MS\n7     curl      5.0\n123456 a"b,\\x1b[2J    5.0\n`,
    );
  });

  it("prints more columns on request, and a dash if there is no value", async () => {
    const [header, first, second] = (await written({ format: "table", flags: { wide: true } }, feed)).split(
      "\n",
    );
    assert.deepEqual([header?.slice(-5), first?.at(-1), second?.slice(-9)], ["ERROR", "-", "timed out"]);
  });

  it("prints times since the first row, although a span's times are reused for the next one", async () => {
    const end = { sec: 5, nsec: 0 };
    const text = await written({ format: "csv", view: { columns: () => [elapsed()] } }, (sink) => {
      sink.span(span({}, { end }));
      end.sec = 7;
      sink.span(span({}, { end }));
    });
    assert.equal(text, "TIME(s)\n0.000000\n2.000000\n");
  });

  it("prints CSV without control characters", async () => {
    assert.equal(
      await written({ format: "csv" }, feed),
      'PID,COMM,MS\n7,curl,5.0\n123456,"a""b,\\x1b[2J",5.0\n',
    );
  });

  it("prints JSON lines with ids in hexadecimal and times in nanoseconds", async () => {
    const text = await written({ format: "json" }, (sink) => {
      sink.span(
        span(
          { "process.pid": 7, "a.b": ["c"], absent: undefined },
          { parentSpanId: bytes(8, 3), error: "x" },
        ),
      );
      sink.span(span({}));
    });
    const [child, root] = parsed(text);
    assert.deepEqual(child, {
      time: "2023-11-14T22:13:21.005000000Z",
      plugin: "tcplife",
      signal: "span",
      name: "tcp connection",
      kind: "internal",
      status: "error",
      start: "2023-11-14T22:13:20.999999999Z",
      end: "2023-11-14T22:13:21.005000000Z",
      trace_id: "ababababababababababababababab01",
      span_id: "ababababababab02",
      parent_span_id: "ababababababab03",
      "process.pid": 7,
      "a.b": ["c"],
    });
    assert.deepEqual([root.status, "parent_span_id" in root], ["unset", false]);
  });

  it("prints other signals only on request", async () => {
    const everything = (sink: TraceSink) => {
      feed(sink);
      sink.metrics([metric(2, [{ value: 3 }])]);
    };
    const rows = parsed(await written({ format: "json" }, everything));
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["tcp connection", "tcp connection"],
    );
    const all = parsed(await written({ format: "json", signals: true }, everything)).slice(2);
    assert.deepEqual(
      all.map(({ signal, name, plugin: from }) => [signal, name, from]),
      [
        ["span", "tcp accept", "tcplife"],
        ["event", "checkpoint", "tcplife"],
        ["metric", "wirespan.softirq.time", "tcplife"],
      ],
    );
    assert.deepEqual([all[2].value, all[2].kind, all[2].unit, all[2].vector], [3, "counter", "s", "net_rx"]);
  });

  it("takes events as rows as well", async () => {
    const view = { rows: "checkpoint" };
    assert.equal(await written({ view, format: "csv" }, feed), "PID,COMM,MS\n4,,0.0\n");
    const [row] = parsed(await written({ view, format: "json" }, feed));
    assert.deepEqual(
      [row.signal, row.name, row.time],
      ["event", "checkpoint", "1970-01-01T00:00:01.000000007Z"],
    );
  });

  it("prints a table of each interval's events if the tool defines one", async () => {
    const view: Partial<TraceView> = {
      rows: "top",
      tables: true,
      heading: (rows) => [`${rows.length} rows`],
      columns: () => [{ title: "PID", width: 3, cell: (row) => row.attributes["process.pid"] as number }],
    };
    const intervals = (sink: TraceSink) => {
      sink.event(event("top"));
      sink.event(event("other"));
      sink.event(event("top"));
      sink.metrics([]);
      sink.metrics([]);
    };
    const table = "2 rows\nPID\n4\n4\n";
    assert.equal(await written({ view, format: "table" }, intervals), `\n${table}\n0 rows\nPID\n`);
    assert.equal(await written({ view, format: "csv" }, intervals), "PID\n4\n4\n");
    assert.equal(parsed(await written({ view, format: "json" }, intervals)).length, 2);
    const refreshing = { ...view, refreshes: ({ clear }: Flags) => clear !== false };
    const page = "\x1b[H\x1b[2J";
    const shown = (terminal: boolean, flags: Flags) =>
      written(
        {
          view: refreshing,
          format: "table",
          ...(terminal && { terminal: { columns: 80, colours: false } }),
          flags,
        },
        intervals,
      );
    assert.equal(await shown(true, {}), `${page}${table}${page}0 rows\nPID\n`);
    assert.equal(await shown(true, { clear: false }), `\n${table}\n0 rows\nPID\n`);
    assert.equal(await shown(false, {}), `\n${table}\n0 rows\nPID\n`);
  });

  it("writes the rows of one batch at once", async () => {
    let writes = 0;
    const write = () => void writes++;
    const sink = new TraceSink({ plugin: pluginWith({}), flags: {}, format: "json", signals: false, write });
    for (let i = 0; i < 100; i++) sink.span(span({}));
    await turn();
    assert.equal(writes, 1);
  });
});

describe("trace of a tool whose rows are an interval's metrics", () => {
  const view: Partial<TraceView> = {
    columns: () => [
      { title: "VECTOR", width: 8, cell: (row) => row.attributes.vector as string },
      { title: "SECONDS", width: 8, align: "right", cell: (row) => row.value },
    ],
    rows: (delta) =>
      delta.flatMap(({ spec, time, points }) =>
        points.map(({ attributes, value }) => {
          const of = typeof value === "number" ? { value } : { histogram: value };
          return { time, name: spec.name, attributes, ...of };
        }),
      ),
  };

  it("prints the difference of each interval, by series", async () => {
    const text = await written({ view, format: "table" }, (sink) => {
      sink.metrics([metric(2, [{ value: 3 }, { value: 1, attributes: { vector: "timer" } }])]);
      sink.metrics([metric(3, [{ value: 5 }, { value: 1, attributes: { vector: "timer" } }])]);
    });
    assert.equal(
      text,
      "\nVECTOR    SECONDS\nnet_rx          3\ntimer           1\n\nVECTOR    SECONDS\nnet_rx          2\ntimer           0\n",
    );
  });

  it("prints one header in CSV", async () => {
    const text = await written({ view, format: "csv" }, (sink) => {
      sink.metrics([metric(2, [{ value: 3 }])]);
      sink.metrics([metric(3, [{ value: 5 }])]);
    });
    assert.equal(text, "VECTOR,SECONDS\nnet_rx,3\nnet_rx,2\n");
  });

  it("distinguishes series by resource, and by attributes in any order", async () => {
    const other = { attributes: {} };
    const both = (sec: number, a: number, b: number) => [
      metric(sec, [{ value: a, attributes: { vector: "x", cpu: 1 } }]),
      { ...metric(sec, [{ value: b, attributes: { cpu: 1, vector: "x" } }]), resource: other },
    ];
    const text = await written({ view, format: "json" }, (sink) => {
      sink.metrics(both(2, 1, 10));
      sink.metrics(both(3, 3, 30).reverse());
      sink.metrics([metric(4, [{ value: 4, attributes: { cpu: 1, vector: "x" } }])]);
    });
    assert.deepEqual(
      parsed(text).map(({ value }) => value),
      [1, 10, 20, 2, 1],
    );
  });

  it("prints a restarted series and a gauge as they are", async () => {
    const gauge: MetricSpec = { ...seconds, instrument: "gauge" };
    const text = await written({ view, format: "json" }, (sink) => {
      sink.metrics([metric(2, [{ value: 5 }])]);
      sink.metrics([metric(3, [{ value: 2, start: at(3) }])]);
      sink.metrics([metric(4, [{ value: 7 }], gauge)]);
      sink.metrics([metric(5, [{ value: 6 }], gauge)]);
    });
    assert.deepEqual(
      parsed(text).map(({ value }) => value),
      [5, 2, 7, 6],
    );
  });

  it("subtracts histograms by bucket, whichever buckets they have", async () => {
    const histogram: MetricSpec = { ...seconds, instrument: "histogram" };
    const text = await written({ view, format: "json" }, (sink) => {
      const before = { count: 4, sum: 4, scale: 3, zeroCount: 1, offset: 10, counts: Uint32Array.of(1, 2) };
      const after = {
        count: 9,
        sum: 7,
        scale: 3,
        zeroCount: 2,
        offset: 9,
        counts: Uint32Array.of(1, 1, 4, 1),
        max: 3,
      };
      sink.metrics([metric(2, [{ value: before }], histogram)]);
      sink.metrics([metric(3, [{ value: after }], histogram)]);
    });
    assert.deepEqual(parsed(text)[1].histogram, {
      count: 5,
      sum: 3,
      scale: 3,
      zeroCount: 1,
      offset: 9,
      counts: [1, 0, 2, 1],
      max: 3,
    });
  });

  it("prints the tool's own lines instead of the table", async () => {
    const render: TraceView["render"] = (rows, { dist }) =>
      dist ? rows.map(({ value }) => `*${value}`) : undefined;
    const feed = (sink: TraceSink) => sink.metrics([metric(2, [{ value: 3 }])]);
    const drawn = { view: { ...view, render }, flags: { dist: true } };
    assert.equal(await written({ ...drawn, format: "table" }, feed), "\n*3\n");
    assert.equal(await written({ ...drawn, format: "csv" }, feed), "VECTOR,SECONDS\nnet_rx,3\n");
    assert.match(await written({ ...drawn, flags: {}, format: "table" }, feed), /^\nVECTOR/);
  });
});
