// Backends that misbehave, over HTTP: each is a real server in this process.
import assert from "node:assert/strict";
import * as http from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { Exporting } from "../../../test/support/exporting.ts";

class Fake implements AsyncDisposable {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  accepted = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.sockets.delete(socket));
    });
  }

  static async listen(server: Server): Promise<Fake> {
    const fake = new Fake(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Act = (response: http.ServerResponse, request: http.IncomingMessage) => void;

/** A server that answers each complete request with what `act` does. */
const httpFake = (act: Act): Promise<Fake> =>
  Fake.listen(
    http.createServer((request, response) => {
      response.on("error", () => {});
      request.resume().on("end", () => act(response, request));
    }),
  );

const exporting = (fake: Fake, timeoutMs = 2000): Promise<Exporting> =>
  Exporting.to(fake.endpoint, { type: "otlp_http", signals: ["traces"], timeoutMs });

const PARTIAL = Buffer.from([0x0a, 6, 0x08, 3, 0x12, 2, 0x6e, 0x6f]);
const JSON_PARTIAL = '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}';

describe("OTLP/HTTP to a backend that misbehaves", () => {
  it("counts a response that confirms nothing as unconfirmed, and logs its beginning once", async () => {
    const answers: readonly [what: string, body: string | Buffer, headers?: Record<string, string>][] = [
      ["a page", "<html><head><title>Sign\nin</title></head></html>", { "content-type": "text/html" }],
      [
        "a page that is called protobuf",
        "<html>Sign in</html>",
        { "content-type": "application/x-protobuf" },
      ],
      ["a word", "OK"],
      ["half a message", PARTIAL.subarray(0, 6)],
      ["half an object", '{"partialSuccess":{"rejec'],
      [
        "an error that is called a success",
        '{"error":"log in first"}',
        { "content-type": "application/json" },
      ],
      ["a word in place of a number", '{"partialSuccess":{"rejectedSpans":"abc"}}'],
      ["a number below zero", '{"partialSuccess":{"rejectedSpans":-7}}'],
      ["more refused than was sent", '{"partialSuccess":{"rejectedSpans":6}}'],
      ["a page without end", Buffer.alloc(1_000_000, "<p>x</p>")],
    ];
    for (const [what, body, headers = {}] of answers) {
      await using fake = await httpFake((response) => response.writeHead(200, headers).end(body));
      await using made = await exporting(fake);
      await made.spans(5);
      await made.spans(5);
      assert.deepEqual(made.came(), { unconfirmed: 10 }, what);
      assert.equal(made.lines.length, 1, what);
      const { endpoint, cause, reason } = made.lines[0]!.fields;
      assert.deepEqual([endpoint, cause], [`${fake.endpoint}/v1/traces`, "unconfirmed"]);
      assert.ok(String(reason).length < 400);
      assert.doesNotMatch(String(reason), /\p{Cc}/u);
    }
  });

  it("reads a partial success in either encoding, whatever its content type, length and compression", async () => {
    const long = `{"partialSuccess":{"rejectedSpans":3,"errorMessage":"${"e".repeat(2_000_000)}"}}`;
    const answers: readonly [what: string, body: string | Buffer, headers?: Record<string, string>][] = [
      ["protobuf", PARTIAL],
      ["JSON", JSON_PARTIAL, { "content-type": "application/json" }],
      ["JSON that is called protobuf", JSON_PARTIAL, { "content-type": "application/x-protobuf" }],
      ["protobuf that is called JSON", PARTIAL, { "content-type": "application/json" }],
      ["two megabytes", long],
      ["gzip that nobody asked for", gzipSync(PARTIAL), { "content-encoding": "gzip" }],
    ];
    for (const [what, body, headers = {}] of answers) {
      await using fake = await httpFake((response) => response.writeHead(200, headers).end(body));
      await using made = await exporting(fake);
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 2, rejected: 3 }, what);
    }
  });

  it("accepts an empty response with any success status, and retries without a response", async () => {
    for (const code of [200, 202, 204]) {
      await using fake = await httpFake((response) => response.writeHead(code).end());
      await using made = await exporting(fake);
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 5 });
    }
    const breaks: readonly [what: string, act: (socket: Socket) => void][] = [
      ["closes", (socket) => socket.end()],
      ["resets", (socket) => socket.resetAndDestroy()],
      ["stops in the middle of headers", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le")],
      [
        "stops in the middle of the body",
        (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"),
      ],
      ["speaks something else", (socket) => socket.end("220 mail.example ESMTP\r\n")],
      [
        "has headers without end",
        (socket) => socket.end(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\n\r\n`),
      ],
    ];
    for (const [what, act] of breaks) {
      let bad = 1;
      await using fake = await Fake.listen(
        createServer((socket) => {
          if (bad-- > 0) socket.once("data", () => act(socket));
          else
            socket.on("data", () =>
              socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
            );
        }),
      );
      await using made = await exporting(fake);
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 5 }, `${what}: ${JSON.stringify(made.lines)}`);
    }
  });

  it("keeps one connection open to one that accepts and never responds", async () => {
    await using fake = await Fake.listen(createServer((socket) => socket.resume()));
    await using made = await exporting(fake, 60);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, fake.sockets.size);
    }, 5);
    await made.spans(10, 5000);
    clearInterval(watch);
    assert.ok(most <= 2 && fake.accepted > 3, `${most} at a time of ${fake.accepted}`);
    assert.deepEqual(made.came(), { queued: 10 });
  });

  it("continues without gzip if the backend does not accept it, logs that once, and loses nothing", async () => {
    for (const code of [415, 400]) {
      const encodings: unknown[] = [];
      await using fake = await httpFake((response, { headers }) => {
        encodings.push(headers["content-encoding"]);
        response.writeHead(headers["content-encoding"] === undefined ? 200 : code).end();
      });
      await using made = await exporting(fake);
      for (let i = 0; i < 3; i++) await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 15 });
      assert.deepEqual(encodings, ["gzip", undefined, undefined, undefined]);
      assert.equal(made.lines.length, 1);
      assert.match(made.lines[0]!.message, /does not accept gzip.*exporters\.backend\.compression: none/);
    }
  });
});
