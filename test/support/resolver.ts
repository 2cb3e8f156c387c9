// A DNS resolver with listeners, and applications that query it, each in a namespace.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { end, type Netns } from "./netns.ts";

const folder = join(import.meta.dirname, "../dns");

type Zone = Readonly<
  Record<string, { readonly ttl: number } & ({ a?: string[]; aaaa?: string[] } | { cname: string })>
>;

/** Serves DNS on some addresses, and accepts connections to `listen` (address:port). */
export async function startResolver(
  netns: Netns,
  zone: Zone,
  { dns, listen }: { readonly dns: readonly string[]; readonly listen: readonly string[] },
): Promise<AsyncDisposable> {
  const args = [join(folder, "server.py"), JSON.stringify(zone), ...dns, "--", ...listen];
  const child = netns.spawn("python3", args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return { [Symbol.asyncDispose]: () => end(child) };
}

export interface Said {
  readonly pid: number;
  readonly address?: string;
}

/** An application whose /etc/resolv.conf names this server. */
export class Application implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: ReturnType<Netns["spawn"]>;
  readonly #lines: Interface;

  private constructor(folder: string, child: ReturnType<Netns["spawn"]>) {
    this.#folder = folder;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  static async start(netns: Netns, server: string): Promise<Application> {
    const own = await mkdtemp(join(tmpdir(), "wirespan-resolv-"));
    const file = join(own, "resolv.conf");
    await writeFile(file, `nameserver ${server}\n`);
    const script = 'mount --bind "$1" /etc/resolv.conf && exec python3 "$2"';
    const args = ["--mount", "--", "sh", "-c", script, "sh", file, join(folder, "client.py")];
    return new Application(own, netns.spawn("unshare", args, { stdio: ["pipe", "pipe", "inherit"] }));
  }

  connect(host: string, port: number): Promise<Said> {
    return this.#do(`connect ${host} ${port}`);
  }

  ask(server: string, name: string): Promise<Said> {
    return this.#do(`ask ${server} ${name}`);
  }

  async #do(line: string): Promise<Said> {
    const answered = once(this.#lines, "line");
    this.#child.stdin!.write(`${line}\n`);
    const gone = once(this.#child, "exit").then(() => Promise.reject(new Error(`it ended at: ${line}`)));
    const [said] = await Promise.race([answered, gone]);
    return JSON.parse(String(said)) as Said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    await end(this.#child);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
