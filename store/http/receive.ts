// Applications' own spans, by OTLP/HTTP: POST /v1/traces. Tests: store/http/receive.test.ts.
import type { IncomingMessage, ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { type Declaration, RowBuilder } from "../../exporters/local/columns.ts";
import type { Database } from "../database.ts";
import type { Ingest } from "../ingest.ts";
import { Signal } from "../signal.ts";
import { userOf } from "./guard.ts";
import { fromJson, fromProtobuf, type ReceivedSpan } from "./otlp.ts";

const MOST_BYTES = 4 * 1024 * 1024;

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
    const body = await read(request);
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
    for (const span of spans) {
      const resource = this.#db.intern(
        "resource",
        JSON.stringify({ ...span.resource, source: "application" }),
      );
      rows.add(
        { ...span, resource },
        {
          "span.name": span.name,
          "span.scope": span.scope,
          "span.attributes": JSON.stringify(span.attributes),
        },
      );
    }
    this.#ingest.application(this.#signal, rows, Date.now());
  }
}

async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MOST_BYTES) return undefined;
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  if (request.headers["content-encoding"] !== "gzip") return body;
  try {
    return gunzipSync(body, { maxOutputLength: MOST_BYTES });
  } catch {
    return undefined;
  }
}
