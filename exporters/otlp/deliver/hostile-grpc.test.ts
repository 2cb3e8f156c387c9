// Backends that misbehave, over gRPC: each is a real socket or HTTP/2 server in this process.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type * as http from "node:http";
import * as http2 from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { gunzipSync, gzipSync } from "node:zlib";
import { Exporting, until } from "../../../test/support/exporting.ts";
import { decodeTraces } from "../../../test/support/otlp-decode.ts";

/** A listener on a port of its own, closed with all its connections. */
class Fake implements AsyncDisposable {
  readonly #server: Server | http.Server | http2.Http2Server;
  readonly sockets = new Set<Socket>();
  /** Connections so far. */
  accepted = 0;

  private constructor(server: Server | http.Server | http2.Http2Server) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.sockets.delete(socket));
    });
  }

  static async listen(server: Server | http.Server | http2.Http2Server): Promise<Fake> {
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

type Act = (stream: http2.ServerHttp2Stream, body: Buffer, headers: http2.IncomingHttpHeaders) => void;

/** A gRPC server that answers each complete request with what `act` does. */
function grpcFake(act: Act): Promise<Fake> {
  const server = http2.createServer();
  server.on("session", (session) => session.on("error", () => {}));
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => act(stream, Buffer.concat(chunks), headers));
  });
  return Fake.listen(server);
}

const GRPC = { ":status": 200, "content-type": "application/grpc" };

/** Answers with a body (a whole frame by default) and trailers. */
function answer(
  stream: http2.ServerHttp2Stream,
  trailers: Record<string, string>,
  body: Buffer = framed(Buffer.alloc(0)),
  headers: http2.OutgoingHttpHeaders = GRPC,
): void {
  stream.respond(headers, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(body);
}

function framed(message: Buffer, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const OK = { "grpc-status": "0" };
/** Three of them are refused. */
const PARTIAL = Buffer.from([0x0a, 6, 0x08, 3, 0x12, 2, 0x6e, 0x6f]);
const descriptors = (): number => readdirSync("/proc/self/fd").length;
const spansOf = (body: Buffer): number =>
  decodeTraces(body[0] === 1 ? gunzipSync(body.subarray(5)) : body.subarray(5)).resourceSpans.flatMap((r) =>
    r.scopeSpans.flatMap((s) => s.spans),
  ).length;

describe("OTLP/gRPC to a backend that misbehaves", () => {
  const silences: readonly [what: string, start: () => Promise<Fake>][] = [
    ["accepts and says nothing", () => Fake.listen(createServer((socket) => socket.resume()))],
    [
      "greets and says nothing more",
      () =>
        Fake.listen(
          createServer((socket) => socket.resume().write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]))),
        ),
    ],
    ["accepts requests and answers only pings", () => grpcFake(() => {})],
    [
      "drips a byte of headers now and then",
      () =>
        Fake.listen(
          createServer((socket) => {
            socket.resume().write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
            const drip = setInterval(() => socket.write(Buffer.from([0])), 20);
            socket.on("close", () => clearInterval(drip));
          }),
        ),
    ],
  ];
  for (const [what, start] of silences) {
    it(`holds no more than a connection or two open to one that ${what}`, async () => {
      await using fake = await start();
      await using made = await Exporting.to(fake.endpoint, { timeoutMs: 60, signals: ["traces"] });
      await made.spans(10, 500);
      const before = descriptors();
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, fake.sockets.size);
      }, 5);
      await made.spans(10, 6000);
      clearInterval(watch);
      assert.ok(most <= 3, `${most} connections at a time, of ${fake.accepted}`);
      assert.ok(descriptors() <= before + 4, `${descriptors()} descriptors after ${before}`);
      assert.deepEqual(made.came(), { queued: 20 });
      assert.ok(made.lines.length <= 2, JSON.stringify(made.lines));
    });
  }

  it("keeps its connection to one that is slow but alive, and replaces a dead one", async () => {
    let hang = 3;
    await using slow = await grpcFake((stream) => {
      if (hang-- <= 0) answer(stream, OK);
    });
    await using made = await Exporting.to(slow.endpoint, { timeoutMs: 1000, signals: ["traces"] });
    await made.spans(5);
    assert.deepEqual(made.came(), { acknowledged: 5 });
    assert.equal(slow.accepted, 1, "it answered the pings");
  });

  it("retries a request whose stream was reset, whatever the code", async () => {
    for (const code of [0, 1, 2, 7, 8, 11]) {
      let resets = 2;
      await using fake = await grpcFake((stream) => {
        if (resets-- > 0) stream.close(code);
        else answer(stream, OK);
      });
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 5 }, `code ${code}`);
      assert.match(made.reasons[0]!, /UNAVAILABLE: .*reset/);
    }
  });

  it("retries requests in flight if the server sends GOAWAY", async () => {
    for (const code of [0, 2, 11]) {
      let aways = 2;
      const seen: number[] = [];
      await using fake = await grpcFake((stream, body) => {
        if (aways-- > 0) {
          stream.session?.goaway(code, 0);
          if (code !== 0) stream.session?.destroy();
          else stream.close(7);
        } else {
          seen.push(spansOf(body));
          answer(stream, OK);
        }
      });
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      await made.spans(3);
      assert.deepEqual(made.came(), { acknowledged: 8 }, `code ${code}`);
      assert.deepEqual(seen, [5, 3]);
    }
  });

  it("lets a server finish what it has after GOAWAY, and reconnects for the next request", async () => {
    await using fake = await grpcFake((stream) => {
      stream.session?.goaway(0, stream.id!);
      setTimeout(() => answer(stream, OK), 100);
    });
    await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
    for (let i = 0; i < 3; i++) await made.spans(5);
    assert.deepEqual(made.came(), { acknowledged: 15 });
    assert.equal(fake.accepted, 3);
    assert.deepEqual(made.lines, []);
  });

  it("counts a response that confirms nothing as unconfirmed, and logs its beginning once", async () => {
    const page = Buffer.from("<!doctype html><html><title>Sign in\u0007</title></html>");
    const cases: readonly [what: string, act: Act][] = [
      ["a page", (s) => answer(s, {}, page, { ":status": 200, "content-type": "text/html" })],
      ["no status", (s) => answer(s, {})],
      ["a word as status", (s) => answer(s, { "grpc-status": "fine" })],
      ["half a frame", (s) => answer(s, OK, framed(PARTIAL).subarray(0, 9))],
      ["text as a message", (s) => answer(s, OK, framed(Buffer.from("thank you")))],
      ["an unknown compression", (s) => answer(s, OK, framed(PARTIAL, 1))],
      ["more refused than was sent", (s) => answer(s, OK, framed(Buffer.from([0x0a, 2, 0x08, 99])))],
    ];
    for (const [what, act] of cases) {
      await using fake = await grpcFake(act);
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      await made.spans(5);
      assert.deepEqual(made.came(), { unconfirmed: 10 }, what);
      assert.equal(made.lines.length, 1, what);
      const { endpoint, cause, reason } = made.lines[0]!.fields;
      assert.deepEqual([endpoint, cause], [fake.endpoint, "unconfirmed"]);
      assert.doesNotMatch(String(reason), /\p{Cc}/u);
    }
  });

  it("reads a partial success of any length, plain, as JSON or compressed like the request", async () => {
    const long = Buffer.concat([
      Buffer.from([0x08, 3, 0x12, 0xc0, 0x84, 0x3d]),
      Buffer.alloc(1_000_000, 0x65),
    ]);
    const large = Buffer.concat([Buffer.from([0x0a, 0xc6, 0x84, 0x3d]), long]);
    const json = Buffer.from('{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}');
    const gzipped = { ...GRPC, "grpc-encoding": "gzip" };
    const cases: readonly [what: string, act: Act][] = [
      ["protobuf", (s) => answer(s, OK, framed(PARTIAL))],
      ["a megabyte", (s) => answer(s, OK, framed(large))],
      ["JSON", (s) => answer(s, OK, framed(json))],
      ["gzip", (s) => answer(s, OK, framed(gzipSync(PARTIAL), 1), gzipped)],
    ];
    for (const [what, act] of cases) {
      await using fake = await grpcFake(act);
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 2, rejected: 3 }, what);
    }
  });

  it("follows the gRPC status in trailers or headers, or the HTTP status if there is none", async () => {
    const status = (code: string, message = "") => ({ "grpc-status": code, "grpc-message": message });
    const trailersOnly =
      (headers: http2.OutgoingHttpHeaders): Act =>
      (s) =>
        s.respond({ ...GRPC, ...headers }, { endStream: true });
    const rejected: readonly [Act, RegExp][] = [
      [(s) => answer(s, status("3", "no%20such%20tenant%0A")), /^INVALID_ARGUMENT: no such tenant$/],
      [
        trailersOnly(status("16", "who are you")),
        /^UNAUTHENTICATED: who are you; check exporters\.backend\.headers/,
      ],
      [trailersOnly(status("8", "quota")), /^RESOURCE_EXHAUSTED: quota$/],
      [trailersOnly(status("99", "?")), /^status 99: \?$/],
      [trailersOnly({ ":status": 403, "content-type": "text/plain" }), /^HTTP 403; check exporters/],
    ];
    for (const [act, reason] of rejected) {
      await using fake = await grpcFake(act);
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      assert.deepEqual(made.came(), { rejected: 5 }, String(reason));
      assert.match(made.reasons.at(-1)!, reason);
    }
    for (const again of [
      ...["1", "4", "10", "11", "14", "15"].map((code) => trailersOnly(status(code))),
      ...[429, 502, 503, 504].map((code) => trailersOnly({ ":status": code, "content-type": "text/html" })),
    ]) {
      let failures = 1;
      await using fake = await grpcFake((stream, ...rest) => {
        if (failures-- > 0) again(stream, ...rest);
        else answer(stream, OK);
      });
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 5 });
    }
  });

  it("survives headers that are too large, and an endless response", async () => {
    const flood: Act = (stream) => {
      stream.respond(GRPC);
      const pour = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(65_536)));
        stream.once("drain", pour);
      };
      pour();
    };
    const large: Act = (s) => answer(s, { "grpc-status": "13", "grpc-message": "e".repeat(100_000) });
    for (const [act, came] of [
      [large, { acknowledged: 10 }],
      [flood, { unconfirmed: 5, acknowledged: 5 }],
    ] as const) {
      let bad = 1;
      await using fake = await grpcFake((stream, ...rest) =>
        bad-- > 0 ? act(stream, ...rest) : answer(stream, OK),
      );
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"], timeoutMs: 10_000 });
      await made.spans(5);
      await made.spans(5);
      assert.deepEqual(made.came(), came, JSON.stringify(made.lines));
    }
  });

  it("continues without gzip if the backend does not accept it, logs that once, and loses nothing", async () => {
    for (const refuse of [
      { "grpc-status": "12", "grpc-message": 'grpc: Decompressor is not installed for grpc-encoding "gzip"' },
      { "grpc-status": "12", "grpc-message": "" },
      { "grpc-status": "13", "grpc-message": "invalid wire type" },
    ]) {
      const encodings: unknown[] = [];
      await using fake = await grpcFake((stream, body, headers) => {
        encodings.push(headers["grpc-encoding"]);
        answer(stream, body[0] === 1 ? refuse : OK);
      });
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
      for (let i = 0; i < 3; i++) await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 15 });
      assert.deepEqual(encodings, ["gzip", undefined, undefined, undefined]);
      assert.equal(made.lines.length, 1);
      assert.match(made.lines[0]!.message, /does not accept gzip.*exporters\.backend\.compression: none/);
    }
  });

  it("splits a request that is too large until it is accepted, and loses only single items that are too large", async () => {
    for (const message of [
      "grpc: received message larger than max (5000 vs. 4000)",
      "gRPC message exceeds maximum size 4000: 5000",
      "Error, decoded message length too large: found 5000 bytes, the limit is: 4000 bytes",
    ]) {
      const code = message.startsWith("Error") ? "11" : "8";
      const taken: number[] = [];
      await using fake = await grpcFake((stream, body) => {
        const size = (body[0] === 1 ? gunzipSync(body.subarray(5)) : body.subarray(5)).length;
        if (size > 4000) return answer(stream, { "grpc-status": code, "grpc-message": message });
        taken.push(spansOf(body));
        answer(stream, OK);
      });
      await using made = await Exporting.to(fake.endpoint, { signals: ["traces", "logs"] });
      await made.spans(500, 25_000);
      assert.deepEqual(made.came(), { acknowledged: 500 }, message);
      assert.ok(Math.max(...taken) >= 3, "not one by one");
    }
  });

  it("closes everything at the end, in the middle of a request", async () => {
    await using fake = await grpcFake(() => {});
    await using made = await Exporting.to(fake.endpoint, { signals: ["traces"] });
    await made.spans(5, 100);
    await made.fanout.shutdown(100);
    await until(() => fake.sockets.size === 0);
    assert.deepEqual(made.came(), { shutdown_timeout: 5 });
  });
});
