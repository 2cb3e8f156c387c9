// A real nginx in a namespace.
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { end, type Netns } from "./netns.ts";
import { until } from "./until.ts";

/** Where tools/setup.sh unpacks it. */
const unpacked = fileURLToPath(
  new URL("../../node_modules/.cache/wirespan/nginx/usr/sbin/nginx", import.meta.url),
);

/** The program that runs here; undefined where none does. */
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

/** One worker that keeps connections alive; it answers every request with 500 bytes. */
export class Nginx implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
  }

  static async start(netns: Netns, port: number): Promise<Nginx> {
    const program = findNginx();
    if (program === undefined) throw new Error("no nginx on this machine");
    const folder = await mkdtemp(join(tmpdir(), "wirespan-nginx-"));
    await writeFile(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid pid; error_log stderr error;
events {}
http {
  access_log off; keepalive_timeout 60;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen ${port}; listen [::]:${port} ipv6only=on;
    location / { return 200 "${"a".repeat(500)}"; }
  }
}
`,
    );
    const words = ["-p", folder, "-c", "nginx.conf", "-e", "stderr"];
    const child = netns.spawn(program, words, { stdio: ["ignore", "ignore", "inherit"] });
    const nginx = new Nginx(child, folder);
    await until("nginx to listen", async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
      const listening = await netns.run("ss", "-Hltn", `sport = :${port}`);
      return listening.split("\n").filter(Boolean).length === 2;
    });
    return nginx;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends it as its own users do: open connections are closed. */
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
