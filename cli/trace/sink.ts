// Prints one plugin's signals like its bcc tool.
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { Event, Metric, Scope, Sink, Span, Time } from "../../core/plugin/signals.ts";
import { csvHeader, csvRow, FittedTable, tableHeader, tableRow } from "../../core/plugin/trace/table.ts";
import { type Column, type Flags, type Row, rowsOf, type TableRows } from "../../core/plugin/trace/view.ts";
import { eventJson, metricJson, rowJson, spanJson } from "../../exporters/console/json-lines.ts";
import { Deltas } from "../../exporters/deltas.ts";
import type { TraceFormat } from "./request.ts";

/** Makes a terminal begin a new page at its top. */
const CLEAR = "\x1b[H\x1b[2J";

export interface TraceSinkOptions {
  readonly plugin: Plugin;
  readonly flags: Flags;
  readonly format: TraceFormat;
  /** Also prints other signals, as JSON lines. */
  readonly signals: boolean;
  /** Rows of other interfaces are not printed; absent: all are. */
  readonly interfaces?: readonly string[];
  /** The output goes to a terminal with this many columns, on which a table can replace the previous one. */
  readonly terminal?: { readonly columns: number; readonly colours: boolean };
  /** Takes complete lines, all those of one turn of the event loop at once. */
  readonly write: (text: string) => void;
}

export class TraceSink implements Sink {
  readonly #plugin: Plugin;
  readonly #flags: Flags;
  readonly #format: TraceFormat;
  readonly #signals: boolean;
  readonly #write: (text: string) => void;
  readonly #columns: readonly Column[];
  /** Names of spans and events that are rows. */
  readonly #names: readonly string[];
  readonly #table: TableRows | undefined;
  readonly #own: ReadonlySet<string>;
  readonly #interfaces: readonly string[] | undefined;
  readonly #deltas = new Deltas();
  readonly #clears: boolean;
  readonly #terminal: TraceSinkOptions["terminal"];
  /** The continuous table; undefined without a terminal. */
  readonly #fitted: FittedTable | undefined;
  #interim: Row[] = [];
  #text = "";

  constructor({ plugin, flags, format, signals, interfaces, terminal, write }: TraceSinkOptions) {
    this.#interfaces = interfaces;
    this.#plugin = plugin;
    this.#flags = flags;
    this.#format = format;
    this.#signals = signals;
    this.#write = write;
    this.#clears = terminal !== undefined && plugin.trace.refreshes?.(flags) === true;
    this.#columns = plugin.trace.columns(flags);
    this.#terminal = terminal;
    this.#fitted = this.#fit();
    const rows = rowsOf(plugin.trace, flags);
    this.#names = typeof rows === "function" ? [] : rows;
    this.#table = typeof rows === "function" ? rows : undefined;
    this.#own = new Set(Object.values(plugin.signals).map(({ name }) => name));
  }

  /** The header, for formats that have one; must be called when the programs are attached. */
  start(): void {
    if (this.#format === "csv") this.#print(csvHeader(this.#columns));
    else if (this.#format === "table" && !this.#table && !this.#plugin.trace.tables) {
      this.#print(this.#fitted?.header() ?? tableHeader(this.#columns));
    }
  }

  #fit(columns = this.#terminal?.columns ?? 0): FittedTable | undefined {
    if (!this.#terminal || this.#format !== "table") return undefined;
    const failed = (line: string) => (this.#terminal?.colours ? `\x1b[31m${line}\x1b[0m` : line);
    return new FittedTable(this.#columns, columns, failed);
  }

  span(span: Span): void {
    const { name } = this.#plugin;
    if (!this.#isRow(span)) {
      if (this.#signals) this.#print(spanJson(pluginOf(span.scope), span));
    } else if (this.#format === "json") {
      this.#print(spanJson(name, span));
    } else {
      const { spec, start, end, attributes, error } = span;
      // A column may store the first row's time.
      const time = { ...end };
      this.#rows([{ time, name: spec.name, attributes, duration: seconds(start, end), error }]);
    }
  }

  event(event: Event): void {
    const { name } = this.#plugin;
    if (!this.#isRow(event)) {
      if (this.#signals) this.#print(eventJson(pluginOf(event.scope), event));
    } else if (this.#format === "json") {
      this.#print(eventJson(name, event));
    } else {
      const row = { time: event.time, name: event.spec.name, attributes: event.attributes };
      if (this.#plugin.trace.tables && this.#format === "table") this.#interim.push(row);
      else this.#rows([row]);
    }
  }

  #isRow({
    spec,
    attributes,
  }: Pick<Span, "attributes"> & { readonly spec: { readonly name: string } }): boolean {
    if (!this.#names.includes(spec.name)) return false;
    const name = attributes["network.interface.name"];
    return this.#interfaces === undefined || this.#interfaces.includes(String(name));
  }

  /** A table tool's rows are what was added since the last call. */
  metrics(metrics: readonly Metric[]): void {
    const rows = this.#table;
    if (!rows) {
      if (this.#plugin.trace.tables && this.#format === "table") {
        this.#interval(this.#interim);
        this.#interim = [];
      }
      if (this.#signals) this.#others(metrics);
      return;
    }
    const own = metrics.filter(({ spec }) => this.#own.has(spec.name));
    this.#interval(rows(this.#deltas.next(own), this.#flags));
    if (this.#signals) this.#others(metrics.filter(({ spec }) => !this.#own.has(spec.name)));
  }

  /** Passes on what is not written yet. */
  flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#write(text);
  }

  #interval(rows: readonly Row[]): void {
    if (this.#format === "json") {
      for (const row of rows) this.#print(rowJson(this.#plugin.name, this.#kind(row.name), row));
    } else if (this.#format === "csv") {
      this.#print(this.#lines(rows));
    } else {
      const heading = this.#plugin.trace.heading?.(rows, this.#flags) ?? [];
      const table = this.#rendered(rows) ?? this.#wholeTable(rows);
      this.#print(`${this.#clears ? CLEAR : "\n"}${heading.map((line) => `${line}\n`).join("")}${table}`);
    }
  }

  /** A table of its own: no wider than its rows need. */
  #wholeTable(rows: readonly Row[]): string {
    const fitted = this.#fit(0);
    if (!fitted) return tableHeader(this.#columns) + this.#lines(rows);
    const lines = fitted.rows(rows);
    return lines.startsWith(fitted.header()) ? lines : fitted.header() + lines;
  }

  #rows(rows: readonly Row[]): void {
    const rendered = this.#format === "table" ? this.#rendered(rows) : undefined;
    this.#print(rendered ?? this.#fitted?.rows(rows) ?? this.#lines(rows));
  }

  #rendered(rows: readonly Row[]): string | undefined {
    const lines = this.#plugin.trace.render?.(rows, this.#flags);
    return lines?.map((line) => `${line}\n`).join("");
  }

  #lines(rows: readonly Row[]): string {
    const line = this.#format === "csv" ? csvRow : tableRow;
    return rows.map((row) => line(this.#columns, row)).join("");
  }

  #others(metrics: readonly Metric[]): void {
    for (const metric of metrics) this.#print(metricJson(pluginOf(metric.scope), metric));
  }

  #kind(name: string): string | undefined {
    const spec = Object.values(this.#plugin.signals).find((signal) => signal.name === name);
    return spec?.signal === "metric" ? spec.instrument : undefined;
  }

  #print(text: string): void {
    if (this.#text === "") queueMicrotask(() => this.flush());
    this.#text += text;
  }
}

const pluginOf = ({ name }: Scope): string => name.replace(/^wirespan\./, "");

const seconds = (start: Time, end: Time): number => end.sec - start.sec + (end.nsec - start.nsec) / 1e9;
