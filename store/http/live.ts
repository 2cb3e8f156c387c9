// Server-sent events: the responses of paths, sent each second if they have changed. Tests:
// store/http/server.test.ts, store/http/targets.test.ts.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Api } from "./api.ts";

const PERIOD = 1000;
/** Limits: clients, paths of one client, and bytes by which a client may lag behind. */
const MOST = { clients: 8, paths: 16, bytes: 1024 * 1024 };

export class Live {
  readonly #api: Api;
  readonly #clients = new Set<ServerResponse>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** `paths`: of the API, with their queries. Each event is `{ of, status, body }`. */
  async serve(paths: readonly string[], request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#clients.size >= MOST.clients || paths.length > MOST.paths) {
      response.writeHead(429, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: `${MOST.clients} pages are open already` }));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    this.#clients.add(response);
    const last = new Map<string, string>();
    let timer: NodeJS.Timeout | undefined;
    request.once("close", () => {
      clearTimeout(timer);
      this.#clients.delete(response);
    });
    const tick = async () => {
      for (const of of paths) {
        const [path = "", ...query] = of.split("?");
        const { status, body } = await this.#api.answer(path, new URLSearchParams(query.join("?")));
        if (!this.#clients.has(response)) return;
        const text = JSON.stringify({ of, status, body });
        // Each response contains the time of the request.
        const said = text.replace(/"asOf":[\d.]+/, "");
        if (said === last.get(of)) continue;
        last.set(of, said);
        if (response.writableLength > MOST.bytes) {
          response.end('event: dropped\ndata: "the reader is too slow"\n\n');
          this.#clients.delete(response);
          return;
        }
        response.write(`data: ${text}\n\n`);
      }
      timer = setTimeout(tick, PERIOD);
    };
    await tick();
  }

  close(): void {
    for (const client of this.#clients) client.end();
  }
}
