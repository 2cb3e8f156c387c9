// A real nginx: a web server in a namespace, or a proxy before another server.
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { end, type Netns } from "./netns.ts";
import { until } from "./until.ts";

/** Where tools/setup.sh unpacks it. */
const unpacked = fileURLToPath(
  new URL("../../node_modules/.cache/wirespan/nginx/usr/sbin/nginx", import.meta.url),
);

/** The program; undefined if it cannot run here. */
export function findNginx(): string | undefined {
  return ["nginx", unpacked].find((program) => {
    try {
      execFileSync(program, ["-v"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}

export class Nginx implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  /** One worker with keep-alive, which answers every request with 500 bytes. */
  static start(netns: Netns, port: number): Promise<Nginx> {
    return Nginx.#start(
      `listen ${port}; listen [::]:${port} ipv6only=on; location / { return 200 "${"a".repeat(500)}"; }`,
      (program, words, options) => netns.spawn(program, words, options),
      async () => {
        const listening = await netns.run("ss", "-Hltn", `sport = :${port}`);
        return listening.split("\n").filter(Boolean).length === 2;
      },
    );
  }

  /** A server on 127.0.0.1:`port` in this namespace; `directives` configure it. */
  static proxy(port: number, { http2, directives }: { http2: boolean; directives: string }): Promise<Nginx> {
    return Nginx.#start(
      `listen 127.0.0.1:${port}${http2 ? " http2" : ""}; ${directives}`,
      spawn,
      () =>
        new Promise((resolve) => {
          const socket = connect(port, "127.0.0.1", () => resolve(true));
          socket.on("error", () => resolve(false)).on("connect", () => socket.destroy());
        }),
    );
  }

  static async #start(
    server: string,
    spawnIn: (program: string, words: readonly string[], options: SpawnOptions) => ChildProcess,
    isListening: () => Promise<boolean>,
  ): Promise<Nginx> {
    const program = findNginx();
    if (program === undefined) throw new Error("no nginx on this machine");
    const folder = await mkdtemp(join(tmpdir(), "wirespan-nginx-"));
    await writeFile(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid pid; error_log stderr crit;
events {}
http {
  access_log off; keepalive_timeout 60;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { ${server} }
}
`,
    );
    const words = ["-p", folder, "-c", "nginx.conf", "-e", "stderr"];
    const child = spawnIn(program, words, { stdio: ["ignore", "ignore", "inherit"] });
    const nginx = new Nginx(child, folder);
    await until("nginx to listen", () => {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
      return isListening();
    });
    return nginx;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Stops it in the usual way; open connections are closed. */
  async stop(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await rm(this.#folder, { recursive: true });
  }
}
