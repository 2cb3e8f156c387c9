import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Served } from "../../test/support/page-server.ts";

const ID = "0".repeat(32);

/** Unusual request targets, and the expected status. */
const TARGETS: readonly (readonly [target: string, status: number])[] = [
  ["/", 200],
  ["/connections?q=service:web", 200],
  [`/c/${ID}`, 200],
  ["//", 404],
  ["///", 404],
  ["//evil.example/api/v1/meta", 404],
  ["/\\evil.example/api/v1/meta", 404],
  ["/../etc/passwd", 404],
  ["/%2e%2e/%2e%2e/etc/passwd", 404],
  ["/app.js/..%2f..%2fserver.ts", 404],
  ["/%", 404],
  ["/%00", 404],
  ["/__proto__", 404],
  ["/constructor", 404],
  ["/c/", 404],
  ["/c/1", 404],
  [`/${"a/".repeat(2000)}`, 404],
  ["*", 400],
  ["a", 400],
  ["?", 400],
  ["http://127.0.0.1/", 400],
  ["http://evil.example/api/v1/meta", 400],
  ["http://[", 400],
  ["/\u0000", 400],
  ["/a b", 400],
  [`/${"a".repeat(9000)}`, 431],
  ["/api/v1", 404],
  ["/api/v1/", 404],
  ["/api/v1//", 404],
  ["/api/v1/%6deta", 404],
  ["/api/v1/constructor", 404],
  ["/api/v1/__proto__?from=1", 404],
  ["/api/v1/meta?", 200],
  ["/api/v1/meta?x", 400],
  ["/api/v1/trace/", 400],
  ["/api/v1/trace/%ff", 400],
  [`/api/v1/trace/${ID}`, 404],
  ["/api/v1/strip?last=1e308", 400],
  ["/api/v1/strip?last=-1", 400],
  ["/api/v1/strip?last=", 400],
  ["/api/v1/strip?from=NaN&to=Infinity", 400],
  ["/api/v1/strip?from=2&to=1", 400],
  ["/api/v1/strip?q=%ff", 400],
  ["/api/v1/strip?q=peer:1/99", 400],
  ["/api/v1/heat?of=constructor", 400],
  ["/api/v1/connections?order=__proto__", 400],
  ["/api/v1/connections?after=-1", 400],
  ["/api/v1/connections?after=1e300", 400],
  ["/api/v1/diff?t0=x", 400],
  ["/api/v1/export?last=x", 400],
  ["/api/v1/session", 403],
];

/** The status of a request whose target is sent unchecked. */
async function statusOf(port: number, target: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  await once(socket, "close");
  return Number(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1]);
}

describe("targets of requests to the page", () => {
  it("are always answered: an invalid target is a client error, never a server error", async () => {
    using served = await Served.start();
    const got: (readonly [string, number])[] = [];
    for (const [target] of TARGETS) got.push([target, await statusOf(served.port, target)]);
    assert.deepEqual(got, TARGETS);
  });

  it("of a stream are each answered with an event", async () => {
    using served = await Served.start();
    const paths = ["//", "http://[", "meta", "strip?q=a?b", "%"];
    const query = new URLSearchParams(paths.map((path): [string, string] => ["of", path]));
    const abort = new AbortController();
    const url = `http://127.0.0.1:${served.port}/api/v1/live?${query}`;
    const { body } = await fetch(url, { signal: abort.signal });
    const statuses = new Map<string, number>();
    for await (const part of body!.pipeThrough(new TextDecoderStream())) {
      for (const [, event] of part.matchAll(/^data: (.*)$/gm)) {
        const { of, status } = JSON.parse(event!) as { of: string; status: number };
        statuses.set(of, status);
      }
      if (statuses.size === paths.length) break;
    }
    abort.abort();
    assert.deepEqual(
      paths.map((path) => statuses.get(path)),
      [404, 404, 200, 400, 404],
    );
  });
});
