import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { request as httpRequest } from "node:http";
import { connect, createServer } from "node:net";
import { promisify } from "node:util";
import { CONNECTION, outbound, traceId } from "../../test/support/page.ts";
import { ask, Served } from "../../test/support/page-server.ts";
import { skip } from "../../test/support/skip.ts";
import { hex } from "../hex.ts";

const TOKEN = "a-token-of-more-than-128-bits";

describe("the page's server", () => {
  let served: Served;
  let port: number;

  const start = async (...options: Parameters<typeof Served.start>): Promise<void> => {
    served = await Served.start(...options);
    port = served.port;
  };
  afterEach(() => served[Symbol.dispose]());

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
    served[Symbol.dispose]();
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
    served.server.guard.tokens.addOnce("for-one-visit");
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

  it("answers one request of a connection at a time, so that a client that reads nothing cannot queue answers", async () => {
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
          served.store.spans(CONNECTION, [
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
      served.store.spans(CONNECTION, made);
    }
    const { text } = await ask(port, "/api/v1/export?last=600");
    assert.equal(text.match(/"traceId"/g)?.length, 50 * 2048 + 1);
  });
});
