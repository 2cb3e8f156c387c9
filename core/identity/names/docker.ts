// The names of containers from Docker, or podman's service: `GET /containers/json` at its socket.
import { createRequire } from "node:module";
import { get } from "./http.ts";
import { type Answer, type Named, readEach, type Source } from "./names.ts";

/** By default only running containers are listed; one that is being started may already have a process that connects. */
const STATES = { status: ["created", "running", "paused"] };

interface Listed {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
}

export class Docker implements Source {
  readonly name: string;
  readonly #socket: string;

  constructor(socket: string) {
    this.name = `Docker at ${socket}`;
    this.#socket = socket;
  }

  async ask(): Promise<Answer> {
    const { request } = createRequire(import.meta.url)("node:http") as typeof import("node:http");
    const path = `/containers/json?filters=${encodeURIComponent(JSON.stringify(STATES))}`;
    const asked = request({ socketPath: this.#socket, path, agent: false, headers: { host: "localhost" } });
    const listed = JSON.parse(await get(asked)) as readonly Listed[];
    if (!Array.isArray(listed)) throw new Error("its answer is not a list of containers");
    const containers = new Map<string, Named>();
    readEach(listed, ({ Id, Names }) => {
      containers.set(Id, { "container.name": Names?.[0]?.replace(/^\//, "") ?? "" });
    });
    return { containers, pods: new Map() };
  }
}
