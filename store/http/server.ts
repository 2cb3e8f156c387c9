// The page and its data over HTTP. Tests: store/http/server.test.ts.
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createListener, type Server as Listener, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LINK } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";
import type { Copier } from "../copier.ts";
import { FULL } from "../file.ts";
import { FilterError } from "../query/filter.ts";
import { Progress } from "../query/scan.ts";
import { traceRow } from "../query/trace-row.ts";
import { Api, FILTERED, type Store } from "./api.ts";
import { otlpLines } from "./export.ts";
import { Guard, type GuardOptions, type Refusal } from "./guard.ts";
import { Live } from "./live.ts";
import { BadRequest, Parameters } from "./parameters.ts";
import type { Receiver } from "./receive.ts";
import { Shares, SOCKETS } from "./shares.ts";

/**
 * Limits: bytes of a request's headers, milliseconds until a request is complete, and until its answer has been read,
 * and concurrent queries.
 */
const LIMIT = { headers: 8192, requestMs: 3000, answerMs: 30_000, atOnce: 4 };

/** Where the page is built. */
const PAGE = join(import.meta.dirname, "../../viewer/dist");

/** Files of the page by path. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/layout.js": ["layout.js", "text/javascript; charset=utf-8"],
  "/app.css": ["app.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

/** Paths that the page shows. */
const SCREENS = /^\/(?:connections|latency|topology|losses|listeners|host|agent|c\/[0-9a-f]{32})?$/;

/** Listens for the page. `receiver`: handles applications' spans. */
export class PageServer {
  readonly guard: Guard;
  readonly #listeners: Listener[] = [];
  readonly #api: Api;
  readonly #live: Live;
  readonly #store: Store;
  readonly #receiver: Receiver | undefined;
  readonly #shares = new Shares();
  #http: Promise<Server> | undefined;
  /** Connections of admitted clients, whose answers have no time limit. */
  readonly #lasting = new WeakSet<Socket>();
  #running = 0;
  #copier: Copier | undefined;
  #isRecording = false;

  constructor(store: Store, options: GuardOptions, receiver?: Receiver) {
    this.guard = new Guard(options);
    this.#store = store;
    this.#api = new Api(store);
    this.#live = new Live(this.#api);
    this.#receiver = receiver;
  }

  /** Resolves with the port. Rejects if the address is not available. */
  async listen(host: string, port: number): Promise<number> {
    const open = (at: string, of: number) =>
      new Promise<number>((resolve, reject) => {
        const listener = createListener((socket) => void this.#connected(socket));
        listener.once("error", reject);
        listener.listen({ host: at, port: of }, () => {
          const address = listener.address();
          this.#listeners.push(listener);
          listener.on("error", () => {});
          resolve(typeof address === "object" && address !== null ? address.port : of);
        });
      });
    const actual = await open(host, port);
    // A browser may try ::1 for localhost first; a host without IPv6 has none.
    if (host === "127.0.0.1") await open("::1", actual).catch(() => {});
    return actual;
  }

  close(): void {
    this.#live.close();
    for (const listener of this.#listeners) listener.close();
    void this.#http?.then((server) => server.closeAllConnections());
  }

  async #connected(socket: Socket): Promise<void> {
    socket.on("error", () => socket.destroy());
    this.#shares.take(socket);
    if (socket.destroyed) return;
    // Node's own limits apply only to a server that listens itself.
    let timer = setTimeout(() => socket.destroy(), LIMIT.requestMs);
    socket.once("close", () => clearTimeout(timer));
    const http = await this.#server();
    let isAnswering = false;
    const answering = ({ socket: of }: IncomingMessage, response: ServerResponse) => {
      if (of !== socket) return;
      clearTimeout(timer);
      // Browsers do not pipeline requests; pipelining could queue any number of answers for a client that reads none.
      if (isAnswering) return void socket.destroy();
      isAnswering = true;
      timer = setTimeout(() => this.#lasting.has(socket) || socket.destroy(), LIMIT.answerMs);
      response.once("close", () => {
        isAnswering = false;
        clearTimeout(timer);
        if (!socket.destroyed) timer = setTimeout(() => socket.destroy(), LIMIT.requestMs);
      });
    };
    http.on("request", answering);
    socket.once("close", () => http.off("request", answering));
    http.emit("connection", socket);
  }

  /** node:http takes 13 MB: it is loaded on the first request. */
  #server(): Promise<Server> {
    this.#http ??= import("node:http").then(({ createServer }) => {
      const server = createServer({ maxHeaderSize: LIMIT.headers }, (...both) => void this.#serve(...both));
      return server.setMaxListeners(SOCKETS + 1);
    });
    return this.#http;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.guard.protect(response);
      const target = targetOf(request);
      if (target === undefined) return refuse(response, { status: 400, text: "the target is not a path" });
      const { pathname, searchParams } = target;
      if (pathname === "/v1/traces" && this.#receiver) {
        await this.#receiver.serve(request, response);
        return;
      }
      const refusal = this.guard.refusal(request);
      if (refusal) refuse(response, refusal);
      else if (pathname.startsWith("/api/v1/"))
        await this.#data(request, response, pathname.slice(8), searchParams);
      else this.#page(response, pathname);
    } catch (error) {
      if (!response.headersSent)
        refuse(response, { status: 500, text: error instanceof Error ? error.message : String(error) });
      else response.destroy();
    }
  }

  async #data(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    if (path === "session") {
      const admitted = await this.guard.admit(request, response);
      refuse(
        response,
        admitted ? { status: 200, text: "" } : { status: 403, text: "this token is wrong, used or too old" },
      );
      return;
    }
    const refusal = await this.guard.unauthorized(request);
    if (refusal) return refuse(response, refusal);
    if (["live", "export", "recording"].includes(path)) this.#lasting.add(request.socket);
    if (path === "live") return await this.#live.serve(query.getAll("of"), request, response);
    if (path === "export") return await this.#export(response, query);
    if (path === "recording") return await this.#recording(response, query);
    if (this.#running >= LIMIT.atOnce)
      return refuse(response, { status: 429, text: "too many questions at once" });
    this.#running++;
    try {
      const { status, body } = await this.#api.answer(path, query);
      const text = Buffer.from(JSON.stringify(body));
      // asOf changes each time, the rest usually does not.
      const tag = `"${createHash("sha256")
        .update(text.toString().replace(/"asOf":[\d.]+/, ""))
        .digest("base64url")
        .slice(0, 22)}"`;
      const isSame = status === 200 && request.headers["if-none-match"] === tag;
      response.writeHead(isSame ? 304 : status, { "content-type": "application/json", etag: tag });
      response.end(isSame ? undefined : text);
    } finally {
      this.#running--;
    }
  }

  /** Undefined: they are wrong, which has been answered. */
  #parameters(response: ServerResponse, query: URLSearchParams, names: readonly string[]) {
    try {
      const { interval, filter } = new Parameters(query, names, this.#store.now());
      return { interval, filter };
    } catch (error) {
      if (!(error instanceof BadRequest || error instanceof FilterError)) throw error;
      refuse(response, { status: 400, text: error.message });
      return undefined;
    }
  }

  /** A file for `wirespan view`; one at a time. */
  async #recording(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const asked = this.#parameters(response, query, ["from", "to", "last"]);
    if (asked === undefined) return;
    if (this.#isRecording) return refuse(response, { status: 429, text: "another recording is being made" });
    this.#isRecording = true;
    const { from, to } = asked.interval;
    try {
      // What is in memory belongs to it.
      if (!this.#store.isRecording) this.#store.ingest.commit(this.#store.now());
      this.#copier ??= this.#store.copier();
      const { fd, size } = await this.#copier.copy({ from: from / 1e6, to: to / 1e6 });
      response.writeHead(200, {
        "content-type": "application/vnd.sqlite3",
        "content-disposition": 'attachment; filename="wirespan.db"',
        "content-length": size,
      });
      // A client that goes away has read enough.
      const content = createReadStream("", { fd, autoClose: false, start: 0 });
      await pipeline(content, response).catch(() => {});
      this.#copier.clear();
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== FULL) throw error;
      const text = `there is no room for a recording next to ${this.#store.db.file}; choose a shorter range`;
      refuse(response, { status: 507, text });
    } finally {
      this.#isRecording = false;
    }
  }

  async #export(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const { scan } = this.#store;
    const asked = this.#parameters(response, query, FILTERED);
    if (asked === undefined) return;
    const { interval, filter } = asked;
    response.writeHead(200, {
      "content-type": "application/x-ndjson",
      "content-disposition": 'attachment; filename="wirespan.jsonl"',
    });
    const names = new Set(scan.signals.map(({ name }) => name));
    // One slice at a time: there may be more rows than fit into memory or can be read at once.
    for await (const slice of scan.slices([...names], interval, new Progress(Number.POSITIVE_INFINITY))) {
      const rows: TraceRow[] = [];
      let linksAt = 0;
      let next = 0;
      for (const row of scan.matching(slice, interval, filter)) {
        for (; next < row; next++) linksAt += slice.rows.linkCount[next]! * LINK;
        rows.push(traceRow(slice.signal, slice.rows, row, linksAt, scan.resources));
      }
      for (const line of otlpLines(rows, scan.resources)) {
        if (!response.write(`${line}\n`)) await drained(response);
        if (response.destroyed) return;
      }
    }
    response.end();
  }

  /** Every path that is not a file serves the page, which reports an unknown screen. */
  #page(response: ServerResponse, path: string): void {
    const known = FILES[path];
    const [file, type] = known ?? ["index.html", "text/html; charset=utf-8"];
    let content: Buffer;
    try {
      content = readFileSync(join(PAGE, file));
    } catch {
      refuse(response, { status: 503, text: "the page is not built: run npm run build" });
      return;
    }
    response.writeHead(known || SCREENS.test(path) ? 200 : 404, { "content-type": type });
    response.end(content);
  }
}

/** Undefined: it is a proxy's target, or invalid. The path may begin with two slashes, which no host follows. */
function targetOf({ url = "" }: IncomingMessage): URL | undefined {
  return url.startsWith("/") ? (URL.parse(`http://localhost${url}`) ?? undefined) : undefined;
}

/** Resolves when more can be written, or nothing any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function refuse(response: ServerResponse, { status, text }: Refusal): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(status === 200 ? {} : { error: text }));
}
