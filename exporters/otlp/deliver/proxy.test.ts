import assert from "node:assert/strict";
import * as http from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Exporting } from "../../../test/support/exporting.ts";
import { OtlpSink } from "../../../test/support/otlp-sink.ts";
import { grpcTarget } from "./endpoint.ts";
import { proxyFor } from "./proxy.ts";

/** A corporate proxy: it tunnels CONNECT requests, and forwards requests with complete URLs. */
class RealProxy implements AsyncDisposable {
  /** `METHOD target` and the credentials of each request. */
  readonly asked: string[] = [];
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = http.createServer((request, response) => {
      this.#note(request);
      const headers = { ...request.headers };
      delete headers["proxy-authorization"];
      const onward = http.request(request.url!, { method: request.method!, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    });
    this.#server.on("connection", (socket: Socket) => this.#sockets.add(socket));
    this.#server.on("connect", (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
      this.#note(request);
      const { hostname, port } = new URL(`http://${request.url}`);
      const onward = connect(Number(port), hostname, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      for (const each of [onward, socket]) each.on("error", () => {});
    });
  }

  static async start(): Promise<RealProxy> {
    const proxy = new RealProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #note({ method, url, headers }: http.IncomingMessage): void {
    this.asked.push([method, url, headers["proxy-authorization"]].filter(Boolean).join(" "));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const NAMES = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) => [name, name.toUpperCase()]);

describe("a proxy", () => {
  const kept = Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );

  function set(variables: Readonly<Record<string, string>>): void {
    for (const name of NAMES) delete process.env[name];
    Object.assign(process.env, variables);
  }

  afterEach(() => set(kept));

  for (const [type, protocol] of [
    ["otlp_grpc", "grpc"],
    ["otlp_http", "http"],
  ] as const) {
    it(`forwards ${type} to its backend, with user and password, and is bypassed by NO_PROXY`, async () => {
      await using proxy = await RealProxy.start();
      await using sink = await OtlpSink.start(protocol);
      const { port } = new URL(sink.endpoint);
      const basic = `Basic ${Buffer.from("us:p w").toString("base64")}`;
      set({ HTTP_PROXY: `http://us:p%20w@${proxy.address}` });
      {
        await using made = await Exporting.to(sink.endpoint, { type, signals: ["traces"] });
        await made.spans(600);
        await made.spans(600);
        assert.deepEqual(made.came(), { acknowledged: 1200 }, JSON.stringify(made.lines));
      }
      const expected =
        type === "otlp_grpc"
          ? `CONNECT 127.0.0.1:${port} ${basic}`
          : `POST ${sink.endpoint}/v1/traces ${basic}`;
      assert.deepEqual([...new Set(proxy.asked)], [expected]);
      const before = proxy.asked.length;
      set({ http_proxy: proxy.address, no_proxy: "example.com, 127.0.0.0/8" });
      await using made = await Exporting.to(sink.endpoint, { type, signals: ["traces"] });
      await made.spans(5);
      assert.deepEqual(made.came(), { acknowledged: 5 });
      assert.equal(proxy.asked.length, before);
    });
  }

  it("is chosen as by curl and Go", () => {
    const shown = (endpoint: string, env: Record<string, string>): string | undefined =>
      proxyFor(grpcTarget("x", endpoint, false), env)?.shown;
    const both = { HTTP_PROXY: "http://plain:1", HTTPS_PROXY: "http://secure:2" };
    assert.equal(shown("http://c:4317", both), "http://plain:1");
    assert.equal(shown("https://c:4317", both), "http://secure:2");
    assert.equal(shown("https://c:4317", { ...both, https_proxy: "lower:3" }), "http://lower:3");
    assert.equal(shown("https://c:4317", { HTTPS_PROXY: " ", HTTP_PROXY: "p:1" }), undefined);
    assert.equal(shown("unix:/run/x", both), undefined);
    for (const [endpoint, list, left] of [
      ["http://c.example.com", "example.com", true],
      ["http://c.example.com", ".example.com", true],
      ["http://c.example.com", "*.example.com", true],
      ["http://example.com", ".example.com", true],
      ["http://badexample.com", "example.com", false],
      ["http://C.Example.com", "c.EXAMPLE.com", true],
      ["http://c:4317", "a b,c:4317", true],
      ["http://c:4317", "c:4318", false],
      ["http://10.1.2.3", "10.0.0.0/8", true],
      ["http://11.1.2.3", "10.0.0.0/8", false],
      ["http://[fd00::5]:4317", "fd00::/8", true],
      ["http://[fd00::5]:4317", "[fd00::5]:4317", true],
      ["http://[fd00::5]:4317", "fd00::5", true],
      ["http://10.1.2.3", "10.0.0.0/99,nonsense/8,", false],
      ["http://c", "*", true],
      ["http://c", "", false],
    ] as const) {
      const found = shown(endpoint, { ...both, NO_PROXY: list });
      assert.equal(found === undefined, left, `${endpoint} of ${list}`);
    }
  });
});
