// Many kinds of programs at once, and what an agent should have observed according to the programs themselves.

import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type AppEnd, type AppServer, ask, type Language, serve } from "./apps.ts";
import type { Met } from "./forecast.ts";
import type { Netns } from "./netns.ts";
import { Nginx } from "./nginx.ts";
import { addresses, type Pair } from "./topology.ts";
import { netnsCookie, run } from "./workload.ts";

export const LANGUAGES: readonly Language[] = ["node", "python", "go"];
const WEB = 8080;
const CLOSED = 9101;
const DROPPED = 9103;
const REQUESTS = 20;
const keepalive = fileURLToPath(new URL("../apps/keepalive.js", import.meta.url));

/** A connection that carried many requests, as its client counted it. */
export interface Kept {
  readonly pid: number;
  readonly connections: number;
  readonly localPort: number;
  readonly sent: number;
  readonly received: number;
}

export interface Mixed {
  readonly met: readonly Met[];
  readonly ends: readonly AppEnd[];
  readonly kept: readonly Kept[];
}

const families = [
  { type: "ipv4", address: addresses.b },
  { type: "ipv6", address: addresses.b6 },
] as const;

const exeOf = (pid: number): string => basename(readlinkSync(`/proc/${pid}/exe`));

const end = (exe: string, type: string, direction: "inbound" | "outbound", pid?: number): Met => ({
  "process.executable.name": exe,
  "network.type": type,
  "wirespan.connection.direction": direction,
  ...(pid !== undefined && { "process.pid": pid }),
});

const listener = (exe: string, type: string, port: number): Met => ({
  "process.executable.name": exe,
  "network.type": type,
  "server.port": port,
});

/** Clients in `a`, servers in `b`. Calls `settled` once all servers listen, and once connections are kept open. */
export async function mix({ a, b }: Pair, settled: () => Promise<unknown>): Promise<Mixed> {
  const met: Met[] = [...(await interfaces(a)), ...(await interfaces(b))];
  const ends: AppEnd[] = [];
  const servers: { app: AppServer; language: Language; type: string; address: string; exe: string }[] = [];
  for (const language of LANGUAGES) {
    for (const { type, address } of families) {
      const app = await serve(b, language, { address });
      const exe = exeOf(app.pid);
      servers.push({ app, language, type, address, exe });
      met.push(listener(exe, type, app.port));
    }
  }
  await using nginx = await Nginx.start(b, WEB);
  met.push(...families.map(({ type }) => listener("nginx", type, WEB)));
  await settled();

  const exeOfLanguage = new Map(servers.map(({ language, exe }) => [language, exe]));
  for (const { app, language, type, address, exe } of servers) {
    const client = LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length]!;
    const asked = await ask(a, client, { address, port: app.port });
    const served = await app.closed();
    ends.push(asked, served);
    met.push(end(exeOfLanguage.get(client)!, type, "outbound", asked.pid));
    met.push(end(exe, type, "inbound", served.pid));
  }
  met.push(...(await failures(a, b)));

  const clients = families.map(({ address }) => keep(a, address));
  const kept = await Promise.all(clients.map(({ said }) => said));
  for (const [i, { pid }] of kept.entries()) {
    met.push(end(exeOf(pid), families[i]!.type, "outbound", pid));
    met.push(end("nginx", families[i]!.type, "inbound", nginx.pid));
  }
  await settled();
  for (const { close } of clients) await close();
  await nginx.stop();
  for (const { app } of servers) await app.stop();
  return { met, ends, kept };
}

async function interfaces(netns: Netns): Promise<Met[]> {
  const cookie = await netnsCookie(netns);
  const links = JSON.parse(await netns.ip("-j", "link")) as { ifname: string; ifindex: number }[];
  return links
    .filter(({ ifname }) => ifname !== "lo")
    .map(({ ifname, ifindex }) => ({
      "network.interface.name": ifname,
      "wirespan.interface.index": ifindex,
      "wirespan.netns.cookie": cookie,
      "wirespan.netdev.queue.id": 0,
    }));
}

/** Connects that are refused, over either family, and one whose SYN is dropped, retransmitted, and dropped again. */
async function failures(a: Netns, b: Netns): Promise<Met[]> {
  for (const { address } of families) await run(a, "attempt", { address, port: CLOSED });
  const rule = await b.rule("input", `tcp dport ${DROPPED}`, "drop");
  await run(a, "attempt", { address: addresses.b, port: DROPPED, synRetries: 1 });
  if ((await rule.packets()) < 2) throw new Error("the SYN was not retransmitted");
  const dropped = (reason: string, type: string): Met => ({
    "wirespan.packet.drop.reason": reason,
    "network.type": type,
    "network.io.direction": "receive",
    "network.connection.state": undefined,
    "process.executable.name": undefined,
  });
  return [
    ...families.flatMap(({ type }) => [end("pcli", type, "outbound"), dropped("NO_SOCKET", type)]),
    dropped("NETFILTER_DROP", "ipv4"),
    {
      ...end("pcli", "ipv4", "outbound"),
      "network.connection.state": "syn_sent",
      "wirespan.tcp.retransmit.type": "syn",
    },
  ];
}

/** Requests in sequence over one connection, which then stays open until `close`. */
function keep(netns: Netns, address: string): { readonly said: Promise<Kept>; close(): Promise<void> } {
  const words = [keepalive, address, String(WEB), String(REQUESTS)];
  const child = netns.spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error("a client needs pipes");
  const gone = once(child, "close");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const said = lines.next().then(({ value, done }) => {
    if (done) throw new Error("the client that keeps its connection has ended");
    return JSON.parse(value) as Kept;
  });
  return {
    said,
    async close() {
      stdin.end();
      await gone;
    },
  };
}
