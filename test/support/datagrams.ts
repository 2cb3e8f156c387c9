// A Unix socket that receives datagrams, like that of a service manager; Node does not have any.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { end } from "./netns.ts";
import { until } from "./until.ts";

const RECEIVE = `
import contextlib, json, os, socket, sys
name = sys.argv[1]
with contextlib.suppress(FileNotFoundError): os.unlink(name) # of an earlier attempt
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
while True: print(json.dumps(receiver.recv(4096).decode()), flush=True)
`;

/** Listens at a path, or at `@` and an abstract name, until it is disposed of. */
export async function receiveDatagrams(address: string): Promise<Datagrams> {
  const child = spawn("python3", ["-c", RECEIVE, address], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [said] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
  if (said !== "bound") throw new Error(`cannot listen at ${address}`);
  const received: string[] = [];
  lines.on("line", (line) => received.push(JSON.parse(line) as string));
  return {
    received,
    until: (what, enough) => until(what, () => enough(received)),
    [Symbol.asyncDispose]: () => end(child),
  };
}

export interface Datagrams extends AsyncDisposable {
  /** In order of arrival. */
  readonly received: readonly string[];
  until(what: string, enough: (received: readonly string[]) => boolean): Promise<unknown>;
}
