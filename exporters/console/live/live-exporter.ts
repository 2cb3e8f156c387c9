// The live view: one page that fits the terminal, redrawn every second.
import type { ReadStream, WriteStream } from "node:tty";
import type { Output } from "../../../core/base/output.ts";
import type { Event, Metric, Sink, Span } from "../../../core/plugin/signals.ts";
import type { Signal } from "../../config.ts";
import type { Kind } from "../../exporter.ts";
import { clockTime, type Paint, paint } from "../format.ts";
import { ImmediateExporter } from "../immediate-exporter.ts";
import { cut, exact, fit } from "./cells.ts";
import { type Controls, HELP, press, START } from "./controls.ts";
import { Model } from "./model.ts";
import { overview } from "./overview.ts";
import { Screen } from "./screen.ts";

/** Milliseconds between frames. */
const REFRESH = 1000;

/** One tool on the whole screen: takes signals while it is shown. */
export interface ToolPage extends Sink {
  /** The latest lines that fit. */
  lines(height: number): readonly string[];
}

/** A tool that can fill the screen. */
export interface Tool {
  readonly name: string;
  readonly summary: string;
  open(): ToolPage;
}

export interface LiveOptions {
  readonly tools: readonly Tool[];
  readonly stdin: ReadStream & { readonly fd: 0 };
  readonly stdout: WriteStream;
  /** Where frames go. */
  readonly output: Output;
  /** The latest line of the agent's own log, if there is one. */
  readonly lastLine: () => string | undefined;
  /** The address of the page, if there is one. */
  readonly page: () => string | undefined;
  /** Ends the agent. */
  readonly quit: () => void;
}

export class LiveExporter extends ImmediateExporter implements Sink {
  readonly #signals: ReadonlySet<Signal>;
  readonly #options: LiveOptions;
  readonly #model: Model;
  readonly #paint: Paint;
  readonly #screen: Screen;
  readonly #timer: NodeJS.Timeout;
  readonly #started = Date.now();
  readonly #left = () => this.#screen.leave();
  #controls: Controls = START;
  #page: { readonly tool: number; readonly page: ToolPage } | undefined;
  #ticked = performance.now();
  #closed = false;

  constructor(name: string, signals: readonly Signal[], options: LiveOptions) {
    super(name);
    this.#signals = new Set(signals);
    this.#options = options;
    this.#model = new Model(name);
    this.#paint = paint(!process.env.NO_COLOR);
    const { stdin, stdout, output } = options;
    const keys = stdin.isTTY ? { stdin, pressed: (key: string) => this.#press(key) } : undefined;
    this.#screen = new Screen(stdout, output, { keys, resized: () => this.#draw() });
    this.#timer = setInterval(() => this.#tick(), REFRESH);
    process.once("exit", this.#left);
    process.on("SIGCONT", this.#resume);
    this.#screen.enter();
    this.#draw();
  }

  span(span: Span): void {
    if (this.#signals.has("traces")) this.#take("span", 1, (to) => to.span(span));
  }

  event(event: Event): void {
    if (this.#signals.has("logs")) this.#take("event", 1, (to) => to.event(event));
  }

  metrics(metrics: readonly Metric[]): void {
    if (!this.#signals.has("metrics")) return;
    const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
    this.#take("point", points, (to) => to.metrics(metrics));
  }

  override async shutdown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    process.off("exit", this.#left);
    process.off("SIGCONT", this.#resume);
    this.#screen.leave();
    this.#options.output.write(`${this.#farewell()}\n`);
  }

  #take(kind: Kind, count: number, give: (to: Pick<Sink, "span" | "event" | "metrics">) => void): void {
    this.count(kind, count);
    give(this.#model);
    if (this.#page) give(this.#page.page);
  }

  #tick(): void {
    const now = performance.now();
    this.#model.tick((now - this.#ticked) / 1000);
    this.#ticked = now;
    if (!this.#controls.paused) this.#draw();
  }

  #press(key: string): void {
    if (key === "\x1a") {
      this.#screen.leave();
      process.kill(process.pid, "SIGSTOP");
      return;
    }
    const next = press(this.#controls, key, this.#options.tools.length);
    if (next === "quit") {
      this.#options.quit();
      return;
    }
    this.#controls = next;
    if (next.tool === undefined) this.#page = undefined;
    else if (next.tool !== this.#page?.tool)
      this.#page = { tool: next.tool, page: this.#options.tools[next.tool]!.open() };
    this.#draw();
  }

  readonly #resume = (): void => {
    this.#screen.enter();
    this.#draw();
  };

  #draw(): void {
    const { width, height } = this.#screen;
    const line = this.#options.lastLine();
    const log = line === undefined ? [] : [this.#paint.error(cut(line, width))];
    const room = height - 2 - log.length;
    const body = this.#body(room, width);
    const blanks = Array.from({ length: Math.max(0, room - body.length) }, () => "");
    this.#screen.draw([this.#title(width), ...body, ...blanks, ...log, this.#keyLine(width)]);
  }

  #body(height: number, width: number): readonly string[] {
    const { order, filter, help } = this.#controls;
    if (help) return ["", ...HELP.map((line) => cut(`  ${line}`, width))].slice(0, height);
    const page = this.#page?.page;
    if (!page) return overview(this.#model, { order, filter, width, height }, this.#paint);
    const wanted = filter.toLowerCase();
    return page
      .lines(height)
      .filter((text, i) => i === 0 || text.toLowerCase().includes(wanted))
      .map((text) => cut(text, width));
  }

  #title(width: number): string {
    const now = Date.now();
    const time = clockTime({ sec: Math.floor(now / 1000), nsec: 0 }).slice(0, 8);
    const up = `${exact((now - this.#started) / 1000)} s`;
    const tool = this.#page && this.#options.tools[this.#page.tool];
    const what = tool ? `${tool.name}: ${tool.summary}` : "overview";
    const state = this.#controls.paused ? "  PAUSED" : "";
    const page = this.#options.page();
    return this.#paint.name(
      fit(`wirespan  ${time}  up ${up}${state}  ${what}${page ? `  ${page}` : ""}`, width),
    );
  }

  #keyLine(width: number): string {
    const { editing, filter } = this.#controls;
    const keys = "s sort  / filter  p pause  t tool  o overview  ? help  q quit";
    const text = editing
      ? `only rows with: ${filter}_   Enter: keep   Esc: all rows`
      : filter
        ? `only rows with "${filter}"   Esc: all rows   ${keys}`
        : keys;
    return this.#paint.dim(cut(text, width));
  }

  /** What remains on the terminal after the view has ended. */
  #farewell(): string {
    const { peers, gauges } = this.#model;
    const { connections, failures } = peers.sums;
    const lost = gauges.losses.map(({ cause, count }) => `${exact(count)} ${cause}`).join(", ");
    return `wirespan: ${exact(connections.total)} connections ended, ${exact(failures.total)} failed; ${lost ? `lost: ${lost}` : "nothing lost"}.`;
  }
}
