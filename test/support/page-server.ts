// Runs the page's server in this process, and sends requests that no browser would send.
import { request as httpRequest } from "node:http";
import type { GuardOptions } from "../../store/http/guard.ts";
import { type From, Receiver } from "../../store/http/receive.ts";
import { PageServer } from "../../store/http/server.ts";
import { CONNECTION, outbound, TestStore } from "./page.ts";

export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Sends a request with exactly these headers, which a browser's fetch would not allow. */
export function ask(
  port: number,
  path: string,
  { method = "GET", headers = {}, body }: Asked = {},
): Promise<Got> {
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

/** A server for a store that has one connection. */
export class Served implements Disposable {
  readonly store: TestStore;
  readonly server: PageServer;
  readonly port: number;

  private constructor(store: TestStore, server: PageServer, port: number) {
    this.store = store;
    this.server = server;
    this.port = port;
  }

  /** `from`: users who may send spans; absent: none. */
  static async start(options: Partial<GuardOptions> = {}, from?: From): Promise<Served> {
    const store = new TestStore();
    const now = Date.now() / 1000;
    store.spans(CONNECTION, [{ start: now - 5, duration: 1, trace: 1, attributes: outbound(1) }]);
    const all = { users: [process.getuid!()], token: undefined, isOpen: false, ...options };
    const receiver = from && new Receiver(store.db, store.ingest, from);
    const server = new PageServer(store.store, all, receiver);
    return new Served(store, server, await server.listen("127.0.0.1", 0));
  }

  ask(path: string, asked?: Asked): Promise<Got> {
    return ask(this.port, path, asked);
  }

  [Symbol.dispose](): void {
    this.server.close();
    this.store[Symbol.dispose]();
  }
}
