import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { request as httpRequest } from "node:http";
import { connect, createServer } from "node:net";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { CONNECTION, outbound, TestStore, traceId } from "../../test/support/page.ts";
import { skip } from "../../test/support/skip.ts";
import { hex } from "../hex.ts";
import type { GuardOptions } from "./guard.ts";
import { type From, Receiver } from "./receive.ts";
import { PageServer } from "./server.ts";

const TOKEN = "a-token-of-more-than-128-bits";

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Sends a request with exactly these headers, which a browser's fetch would not allow. */
function ask(port: number, path: string, { method = "GET", headers = {}, body }: Asked = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      },
    );
    request.once("error", reject);
    request.end(body);
  });
}

describe("the page's server", () => {
  let store: TestStore;
  let server: PageServer;
  let port: number;

  const start = async (options: Partial<GuardOptions> = {}, from?: From): Promise<void> => {
    store = new TestStore();
    const now = Date.now() / 1000;
    store.spans(CONNECTION, [{ start: now - 5, duration: 1, trace: 1, attributes: outbound(1) }]);
    const all = {
      users: [process.getuid!()],
      token: undefined,
      isOpen: false,
      ...options,
    };
    server = new PageServer(store.store, all, from && new Receiver(store.db, store.ingest, from));
    port = await server.listen("127.0.0.1", 0);
  };
  afterEach(() => {
    server.close();
    store[Symbol.dispose]();
  });

  it("answers only for this host's names, whatever the port", async () => {
    await start();
    for (const host of ["127.0.0.1", "localhost", "[::1]", "localhost:9999", "LOCALHOST:80"])
      assert.equal((await ask(port, "/api/v1/meta", { headers: { host } })).status, 200, host);
    for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:4380", "10.0.0.1"])
      assert.equal((await ask(port, "/api/v1/meta", { headers: { host } })).status, 421, host);
  });

  it("answers through a port forwarder", async () => {
    await start();
    const forwarder = createServer((client) => {
      const onward = connect(port, "127.0.0.1");
      client.pipe(onward).pipe(client);
      for (const socket of [client, onward]) socket.on("error", () => client.destroy());
    });
    await new Promise<void>((resolve) => forwarder.listen(0, "127.0.0.1", resolve));
    const address = forwarder.address();
    assert.ok(typeof address === "object" && address);
    assert.equal((await ask(address.port, "/api/v1/meta")).status, 200);
    forwarder.close();
  });

  it("refuses requests from another site's page", async () => {
    await start();
    for (const site of ["cross-site", "same-site"])
      assert.equal(
        (await ask(port, "/api/v1/meta", { headers: { "sec-fetch-site": site } })).status,
        403,
        site,
      );
    for (const site of ["same-origin", "none"])
      assert.equal(
        (await ask(port, "/api/v1/meta", { headers: { "sec-fetch-site": site } })).status,
        200,
        site,
      );
  });

  it("changes nothing: any method but GET is refused", async () => {
    await start();
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
      for (const path of ["/", "/api/v1/meta", "/v1/traces"])
        assert.equal((await ask(port, path, { method })).status, 405, `${method} ${path}`);
  });

  it("sends restrictive security headers with every response", async () => {
    await start();
    for (const path of ["/", "/api/v1/meta", "/api/v1/nothing", "/app.js"]) {
      const { headers } = await ask(port, path);
      const policy = String(headers["content-security-policy"]);
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ])
        assert.ok(policy.includes(part), `${path}: ${part}`);
      assert.ok(!policy.includes("unsafe"));
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["cross-origin-opener-policy"], "same-origin");
      assert.equal(headers["cross-origin-resource-policy"], "same-origin");
      assert.equal(headers["cache-control"], "no-store");
      assert.equal(headers["access-control-allow-origin"], undefined);
    }
  });

  it("shows data only to listed users", async function () {
    if (process.getuid!() !== 0) skip(this, "needs root, to ask as another user");
    const nobody = 65_534;
    const asOther = async () => {
      const script = `fetch("http://127.0.0.1:${port}/api/v1/meta").then(({ status }) => console.log(status))`;
      const { stdout } = await promisify(execFile)("/usr/bin/env", ["node", "-e", script], {
        uid: nobody,
        cwd: "/",
      });
      return Number(stdout);
    };
    await start({ users: [] });
    assert.equal((await ask(port, "/api/v1/meta")).status, 200, "root");
    assert.equal(await asOther(), 401);
    server.close();
    store[Symbol.dispose]();
    await start({ users: [nobody] });
    assert.equal(await asOther(), 200);
  });

  it("does not take another user's connection with the same ports for the client's", async function () {
    if (process.getuid!() !== 0) skip(this, "needs root, to ask as another user");
    await start({ users: [] });
    const shown = connect(port, "127.0.0.1");
    await new Promise<void>((resolve) => shown.once("connect", () => resolve()));
    const status = async (uid: number, host: string, localAddress?: string) => {
      const from = localAddress && { localAddress, localPort: shown.localPort };
      const headers = { host: "localhost" };
      const asked = { host, port, ...from, headers, path: "/api/v1/meta" };
      const script = `require("http").get(${JSON.stringify(asked)}, ({ statusCode }) => { console.log(statusCode); process.exit(); })`;
      const { stdout } = await promisify(execFile)(process.execPath, ["-e", script], {
        uid,
        cwd: "/",
      });
      return Number(stdout);
    };
    const nobody = 65_534;
    assert.equal(await status(nobody, "127.0.0.1", "127.0.0.2"), 401, "from another address");
    assert.equal(await status(nobody, "::1", "::1"), 401, "by IPv6");
    for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
      assert.equal(await status(0, host), 200, `root by ${host}`);
    shown.destroy();
  });

  it("requires the token from everybody if there is one, and stores it in a cookie that scripts cannot read", async () => {
    await start({ token: TOKEN });
    assert.equal((await ask(port, "/api/v1/meta")).status, 401);
    assert.equal((await ask(port, "/")).status, 200, "the page itself says nothing");
    const wrong = await ask(port, "/api/v1/session", { headers: { authorization: "Bearer wrong" } });
    assert.equal(wrong.status, 403);
    const right = await ask(port, "/api/v1/session", { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(right.status, 200);
    const [cookie = ""] = right.headers["set-cookie"] as string[];
    assert.match(cookie, /^wirespan=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
    const session = { cookie: cookie.split(";")[0]! };
    assert.equal((await ask(port, "/api/v1/meta", { headers: session })).status, 200);
    assert.equal((await ask(port, "/api/v1/meta", { headers: { cookie: "wirespan=x" } })).status, 401);
  });

  it("accepts a single-use token once", async () => {
    await start({ token: TOKEN });
    server.guard.tokens.addOnce("for-one-visit");
    const exchange = () =>
      ask(port, "/api/v1/session", { headers: { authorization: "Bearer for-one-visit" } });
    assert.equal((await exchange()).status, 200);
    assert.equal((await exchange()).status, 403);
  });

  it("closes on headers that are too long or never end", async () => {
    await start();
    const long = await ask(port, "/", { headers: { x: "x".repeat(9000) } });
    assert.equal(long.status, 431);
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    await new Promise<void>((resolve) => socket.once("close", () => resolve()).resume());
  });

  it("answers one request of a connection at a time: who reads nothing cannot queue answers", async () => {
    await start();
    const socket = connect(port, "127.0.0.1").pause();
    const closed = new Promise((resolve) => socket.once("close", resolve).once("error", () => {}));
    const request = "GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    socket.write(request.repeat(200));
    await new Promise((resolve) => setTimeout(resolve, 500));
    socket.resume();
    await closed;
    const one = Buffer.byteLength((await ask(port, "/app.js")).text);
    assert.ok(socket.bytesRead < 10 * one, `${socket.bytesRead} bytes`);
  });

  it("answers with 304 if nothing has changed", async () => {
    await start();
    const { headers } = await ask(port, "/api/v1/findings");
    const again = await ask(port, "/api/v1/findings", { headers: { "if-none-match": String(headers.etag) } });
    assert.deepEqual([again.status, again.text], [304, ""]);
  });

  it("streams the responses of several paths, and then only changed ones", async () => {
    await start();
    const events: { of: string; status: number; body: { total?: number } }[] = [];
    const more = Promise.withResolvers<void>();
    const query = new URLSearchParams([
      ["of", "connections?last=600"],
      ["of", "findings"],
      ["of", "strip?frm=1"],
    ]);
    const request = httpRequest({ host: "127.0.0.1", port, path: `/api/v1/live?${query}` }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        const whole = text.split("\n\n");
        text = whole.pop()!;
        for (const event of whole) events.push(JSON.parse(event.replace(/^data: /, "")));
        if (events.length === 3) {
          store.spans(CONNECTION, [
            { start: Date.now() / 1000 - 1, duration: 0.5, trace: 2, attributes: outbound(2) },
          ]);
        }
        if (events.length === 4) more.resolve();
      });
    });
    request.end();
    await more.promise;
    request.destroy();
    assert.deepEqual(
      events.map(({ of, status, body }) => [of.split("?")[0], status, body.total]),
      [
        ["connections", 200, 1],
        ["findings", 200, undefined],
        ["strip", 400, undefined],
        ["connections", 200, 2],
      ],
    );
  });

  it("exports lines of OTLP/JSON, as the Collector's file exporter writes them", async () => {
    await start();
    const { text, headers } = await ask(port, "/api/v1/export?last=600");
    assert.match(String(headers["content-disposition"]), /attachment/);
    const [line = "", ...others] = text.trim().split("\n");
    assert.equal(others.length, 0);
    const [{ resource, scopeSpans }] = JSON.parse(line).resourceSpans;
    assert.deepEqual(resource.attributes, [{ key: "service.name", value: { stringValue: "web" } }]);
    const [{ scope, spans }] = scopeSpans;
    assert.equal(scope.name, "wirespan.connections");
    assert.equal(spans[0].traceId, hex(traceId(1)));
    assert.equal(BigInt(spans[0].endTimeUnixNano) - BigInt(spans[0].startTimeUnixNano), 1_000_000_000n);
    const port_ = spans[0].attributes.find(({ key }: { key: string }) => key === "network.peer.port");
    assert.deepEqual(port_.value, { intValue: "5432" });
    assert.equal((await ask(port, "/api/v1/export?frm=1")).status, 400);
  });

  it("exports everything, however long it takes", async () => {
    await start();
    const now = Date.now() / 1000;
    for (let chunk = 0; chunk < 50; chunk++) {
      const made = Array.from({ length: 2048 }, (_, i) => ({
        ...{ start: now - 5, duration: 1, trace: chunk * 2048 + i + 2 },
        attributes: outbound(1),
      }));
      store.spans(CONNECTION, made);
    }
    const { text } = await ask(port, "/api/v1/export?last=600");
    assert.equal(text.match(/"traceId"/g)?.length, 50 * 2048 + 1);
  });

  describe("as an OTLP receiver", () => {
    const span = {
      traceId: "0123456789abcdef0123456789abcdef",
      spanId: "0123456789abcdef",
      name: "GET /orders",
      kind: 3,
      startTimeUnixNano: "1800000000000000000",
      endTimeUnixNano: "1800000000250000000",
      attributes: [
        { key: "http.route", value: { stringValue: "/orders" } },
        { key: "tries", value: { intValue: "2" } },
      ],
      status: { code: 2, message: "slow" },
    };
    const json = JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
          scopeSpans: [{ scope: { name: "http" }, spans: [span] }],
        },
      ],
    });
    const withSpan = (more: object) =>
      JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, ...more }] }] }] });
    const SMALL = `{"traceId":"${span.traceId}","spanId":"${span.spanId}"}`;
    const JSON_TYPE = { "content-type": "application/json" };
    const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = JSON_TYPE) =>
      ask(port, "/v1/traces", { method: "POST", headers, body });

    it("accepts JSON and protobuf, plain and compressed, and shows the spans in their trace", async () => {
      await start({}, "anyone");
      assert.equal((await post(json)).status, 200);
      assert.equal((await post(gzipSync(json), { ...JSON_TYPE, "content-encoding": "gzip" })).status, 200);
      assert.equal((await post(protobuf(), { "content-type": "application/x-protobuf" })).status, 200);
      const { rows, resources } = JSON.parse((await ask(port, `/api/v1/trace/${span.traceId}`)).text);
      assert.equal(rows.length, 3);
      for (const row of rows) {
        assert.equal(row.attributes["span.name"], "GET /orders");
        assert.deepEqual(JSON.parse(row.attributes["span.attributes"]), {
          "http.route": "/orders",
          tries: 2,
        });
        assert.deepEqual(
          [row.duration, row.kind, row.error, row.span],
          [0.25, "client", "slow", span.spanId],
        );
        assert.equal(resources[row.resource].source, "application");
        assert.equal(row.service, "shop");
      }
      const { total } = JSON.parse((await ask(port, "/api/v1/connections?last=600")).text);
      assert.equal(total, 1, "connections are what they were");
    });

    it("refuses browsers, other content types and invalid or too large requests", async () => {
      await start({}, "anyone");
      const refused: readonly (readonly [number, Promise<Got>])[] = [
        [403, post(json, { ...JSON_TYPE, origin: "http://localhost:4380" })],
        [403, post(json, { ...JSON_TYPE, "sec-fetch-site": "same-origin" })],
        [415, post(json, { "content-type": "text/plain" })],
        [415, post(json, {})],
        [413, post(Buffer.alloc(4 * 1024 ** 2 + 1, 32))],
        [413, post(gzipSync(Buffer.alloc(64 * 1024 ** 2)), { ...JSON_TYPE, "content-encoding": "gzip" })],
        [400, post("{")],
        [400, post(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: "no ids" }] }] }] }))],
        [400, post(Buffer.from([0x0a, 0xff, 0xff, 0x01]), { "content-type": "application/x-protobuf" })],
        [400, post(withSpan({ endTimeUnixNano: "9".repeat(1e6) }))],
        [400, post(withSpan({ startTimeUnixNano: "-1" }))],
        [400, post(`{"resourceSpans":[${"{},".repeat(262_144)}{}]}`)],
        [400, post(`{"resourceSpans":[{"scopeSpans":[{"spans":[${`${SMALL},`.repeat(8192)}${SMALL}]}]}]}`)],
        [400, post(Buffer.alloc(2 * 65_537, "\x08\x01"), { "content-type": "application/x-protobuf" })],
        [405, ask(port, "/v1/traces")],
      ];
      for (const [i, [status, got]] of refused.entries())
        assert.equal((await got).status, status, `case ${i}`);
    });

    it("keeps of a span at most 256 bytes of a text and 4 KiB of attributes", async () => {
      await start({}, "anyone");
      const long = { stringValue: "x".repeat(1e6) };
      const attributes = [
        { key: "long", value: long },
        { key: "short", value: { stringValue: "kept" } },
      ];
      const body = withSpan({
        attributes,
        name: "n".repeat(1e6),
        status: { code: 2, message: "m".repeat(1e6) },
      });
      assert.equal((await post(body)).status, 200);
      const { rows } = JSON.parse((await ask(port, `/api/v1/trace/${span.traceId}`)).text);
      assert.equal(rows[0].attributes["span.name"], "n".repeat(256));
      assert.equal(rows[0].error, "m".repeat(256));
      const kept = { short: "kept", "otel.dropped_attributes_count": 1 };
      assert.deepEqual(JSON.parse(rows[0].attributes["span.attributes"]), kept);
    });

    it("keeps of too many resources only their service names, and of more nothing: they would fill the file", async () => {
      await start({}, "anyone");
      const resourceSpans = Array.from({ length: 2100 }, (_, i) => ({
        resource: {
          attributes: [
            { key: "service.name", value: { stringValue: `shop-${i}` } },
            { key: "a", value: { stringValue: "b" } },
          ],
        },
        scopeSpans: [{ spans: [span] }],
      }));
      assert.equal((await post(JSON.stringify({ resourceSpans }))).status, 200);
      const kept = store.db
        .all("SELECT attributes FROM resource")
        .map(({ attributes }) => JSON.parse(String(attributes)))
        .filter(({ source }) => source === "application");
      const whole = kept.filter(({ a }) => a === "b");
      const named = kept.filter((one) => one["service.name"] !== undefined);
      assert.deepEqual([whole.length, named.length, kept.length], [1024, 2048, 2049]);
    });

    it("is disabled by default", async () => {
      await start();
      assert.equal((await post(json)).status, 405);
    });

    /** The same span in ExportTraceServiceRequest's fields. */
    function protobuf(): Buffer {
      const field = (number: number, bytes: Buffer) =>
        Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
      const text = (number: number, value: string) => field(number, Buffer.from(value));
      const fixed = (number: number, value: bigint) => {
        const bytes = Buffer.alloc(9);
        bytes[0] = (number << 3) | 1;
        bytes.writeBigUInt64LE(value, 1);
        return bytes;
      };
      const attribute = (key: string, value: Buffer) => Buffer.concat([text(1, key), field(2, value)]);
      const bytes = Buffer.concat([
        field(1, Buffer.from(span.traceId, "hex")),
        field(2, Buffer.from(span.spanId, "hex")),
        text(5, span.name),
        Buffer.from([6 << 3, span.kind]),
        fixed(7, BigInt(span.startTimeUnixNano)),
        fixed(8, BigInt(span.endTimeUnixNano)),
        field(9, attribute("http.route", text(1, "/orders"))),
        field(9, attribute("tries", Buffer.from([3 << 3, 2]))),
        field(15, Buffer.concat([text(2, "slow"), Buffer.from([3 << 3, 2])])),
      ]);
      const scope = Buffer.concat([
        field(1, text(1, "http")),
        Buffer.from([0x12]),
        length(bytes.length),
        bytes,
      ]);
      const resource = field(1, field(1, attribute("service.name", text(1, "shop"))));
      const whole = Buffer.concat([resource, Buffer.from([0x12]), length(scope.length), scope]);
      return Buffer.concat([Buffer.from([0x0a]), length(whole.length), whole]);
    }

    function length(value: number): Buffer {
      return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
    }
  });
});
