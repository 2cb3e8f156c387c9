// Receives applications' own spans over OTLP/HTTP: POST /v1/traces. Tests: store/http/receive.test.ts.
import type { IncomingMessage, ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { cut } from "../../core/base/text.ts";
import { type Declaration, RowBuilder } from "../../exporters/local/columns.ts";
import type { Database } from "../database.ts";
import type { Ingest } from "../ingest.ts";
import { Signal } from "../signal.ts";
import { userOf } from "./guard.ts";
import { type Attributes, fromJson, fromProtobuf, type ReceivedSpan } from "./otlp.ts";

const MOST_BYTES = 4 * 1024 * 1024;
/** Maximum bytes of all requests that are being read. */
const MOST_READING = 4 * MOST_BYTES;

/** Maximum bytes kept of a text, of a span's attributes and of a resource's attributes, as JSON. */
const LONGEST = { text: 256, attributes: 4096, resource: 2048 };
/** Maximum resources that are kept completely, and with at least their name; they stay in the file. */
const RESOURCES = { whole: 1024, named: 2048 };

export const APPLICATION: Declaration = {
  signal: "span",
  name: "application span",
  scope: "application",
  description: "A span that an application sent.",
  attributes: {
    "span.name": { type: "string", requirement: "required", description: "Its name." },
    "span.scope": { type: "string", requirement: "recommended", description: "Its instrumentation scope." },
    "span.attributes": { type: "string", requirement: "recommended", description: "Its attributes as JSON." },
  },
};

/** Users that may send; `anyone`: every local one. */
export type From = readonly number[] | "anyone";

export class Receiver {
  readonly #db: Database;
  readonly #ingest: Ingest;
  readonly #from: From;
  readonly #signal: Signal;
  /** Resources of applications in the file, at most. */
  #resources = Number.POSITIVE_INFINITY;
  #reading = 0;

  constructor(db: Database, ingest: Ingest, from: From) {
    this.#db = db;
    this.#ingest = ingest;
    this.#from = from;
    this.#signal = new Signal(db.intern("signal", JSON.stringify(APPLICATION)), APPLICATION);
  }

  /** Answers as an OTLP receiver does; browsers are refused whatever they send. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method, socket } = request;
    const type = (headers["content-type"] ?? "").split(";")[0]!.trim();
    const refuse = (status: number, text: string) => {
      response.writeHead(status, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify({ message: text }));
      request.resume();
    };
    if (method !== "POST") return refuse(405, "spans are sent by POST");
    if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined)
      return refuse(403, "requests of web pages are refused");
    if (type !== "application/x-protobuf" && type !== "application/json")
      return refuse(415, "send application/x-protobuf or application/json");
    const uid = userOf(socket);
    if (uid === undefined || (this.#from !== "anyone" && uid !== 0 && !this.#from.includes(uid)))
      return refuse(403, "this user may not send: viewer.receiveFrom");
    if (this.#reading > MOST_READING - MOST_BYTES) return refuse(503, "too many spans at once");
    const body = await this.#read(request);
    if (body === undefined) return refuse(413, "a request holds at most 4 MiB");
    let spans: readonly ReceivedSpan[];
    try {
      spans = type === "application/json" ? fromJson(body.toString()) : fromProtobuf(body);
    } catch (error) {
      return refuse(
        400,
        `not an ExportTraceServiceRequest: ${error instanceof Error ? error.message : error}`,
      );
    }
    this.#take(spans);
    response.writeHead(200, { "content-type": type });
    response.end(type === "application/json" ? "{}" : undefined);
  }

  #take(spans: readonly ReceivedSpan[]): void {
    const rows = new RowBuilder(APPLICATION.attributes, Math.max(1, spans.length));
    const resources = new Map<Attributes, number>();
    if (this.#resources >= RESOURCES.whole) this.#resources = this.#countResources();
    for (const span of spans) {
      const resource = resources.get(span.resource) ?? this.#resourceOf(span.resource);
      resources.set(span.resource, resource);
      rows.add(
        { ...span, resource, error: span.error && cut(span.error, LONGEST.text) },
        {
          "span.name": cut(span.name, LONGEST.text),
          "span.scope": cut(span.scope, LONGEST.text),
          "span.attributes": JSON.stringify(bounded(span.attributes, LONGEST.attributes)),
        },
      );
    }
    this.#ingest.application(this.#signal, rows, Date.now());
  }

  /** Resources that no span refers to any more are removed in the meantime. */
  #countResources(): number {
    const sql = `SELECT count(*) n FROM resource WHERE attributes LIKE '%"source":"application"%'`;
    return Number(this.#db.get(sql)?.n);
  }

  /** The file's number of a resource. If there are too many, less of each is kept, so that an application cannot fill the file. */
  #resourceOf(attributes: Attributes): number {
    const { "service.name": name } = attributes;
    const source = "application";
    const named =
      name === undefined ? { source } : { "service.name": cut(String(name), LONGEST.text), source };
    const whole = { ...bounded(attributes, LONGEST.resource), ...named };
    for (const [kept, most] of [[whole, RESOURCES.whole] as const, [named, RESOURCES.named] as const]) {
      const text = JSON.stringify(kept);
      const known = this.#db.interned("resource", text);
      if (known !== undefined) return known;
      if (this.#resources >= most) continue;
      this.#resources++;
      return this.#db.intern("resource", text);
    }
    return this.#db.intern("resource", JSON.stringify({ source }));
  }

  /** Undefined: it is too large. */
  async #read(request: IncomingMessage): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    let size = 0;
    try {
      for await (const part of request as AsyncIterable<Buffer>) {
        size += part.length;
        this.#reading += part.length;
        if (size > MOST_BYTES) return undefined;
        parts.push(part);
      }
    } finally {
      this.#reading -= size;
    }
    const body = Buffer.concat(parts);
    if (request.headers["content-encoding"] !== "gzip") return body;
    try {
      return gunzipSync(body, { maxOutputLength: MOST_BYTES });
    } catch {
      return undefined;
    }
  }
}

/** The attributes that fit into that many bytes of JSON, and how many are dropped, as OpenTelemetry calls it. */
function bounded(attributes: Attributes, most: number): Attributes {
  const all = Object.entries(attributes);
  let size = 64;
  const kept = all.filter((one) => {
    const bytes = Buffer.byteLength(JSON.stringify(one));
    if (size + bytes > most) return false;
    size += bytes;
    return true;
  });
  const dropped = all.length - kept.length;
  return Object.fromEntries(dropped === 0 ? kept : [...kept, ["otel.dropped_attributes_count", dropped]]);
}
