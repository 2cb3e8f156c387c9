// The namespaces of the shop, and the lossy, slow links between them.
import { Netns } from "../../test/support/netns.ts";

export interface Town extends AsyncDisposable {
  readonly customers: Netns;
  /** 10.221.1.1 to the customers, 10.221.2.1 to the stock service, 10.221.3.1 to the database. */
  readonly gateway: Netns;
  readonly stock: Netns;
  readonly database: Netns;
}

export const addresses = { gateway: "10.221.1.1", stock: "10.221.2.2", database: "10.221.3.2" } as const;

/** Ports of the services. */
export const PORTS = { gateway: 8080, stock: 8443, database: 5432 } as const;
/** Ports of the stock service's host: one on which nothing listens, and one that a firewall drops silently. */
export const CLOSED = { gift: 8450, reviews: 8451 } as const;

/** One in this many packets with payload is lost. */
export interface Loss {
  readonly requests: number;
  readonly answers: number;
}

export async function build({ loss, rate }: { readonly loss: Loss; readonly rate: string }): Promise<Town> {
  await using made = new AsyncDisposableStack();
  const [customers, gateway, stock, database] = [
    made.use(await Netns.create()),
    made.use(await Netns.create()),
    made.use(await Netns.create()),
    made.use(await Netns.create()),
  ];
  for (const [at, [name, other]] of Object.entries({ customers, stock, database }).entries()) {
    await gateway.ip("link", "add", name, "type", "veth", "peer", "name", "gateway", "netns", other.name);
    await join(gateway, name, `10.221.${at + 1}.1/24`, rate);
    await join(other, "gateway", `10.221.${at + 1}.2/24`, rate);
  }
  for (const netns of [customers, gateway, stock, database]) {
    await netns.run("nft", "add table inet road");
    await netns.run("nft", "add chain inet road in { type filter hook input priority 0; }");
    // Handshake packets and pure acknowledgements are shorter.
    const payload = 'iifname != "lo" meta length > 90';
    const ports = `{ ${Object.values(PORTS).join(", ")} }`;
    for (const [match, every] of [
      [`tcp dport ${ports}`, loss.requests],
      [`tcp sport ${ports}`, loss.answers],
    ])
      await netns.run("nft", `add rule inet road in ${payload} ${match} numgen inc mod ${every} == 0 drop`);
  }
  await stock.run("nft", `add rule inet road in tcp dport ${CLOSED.reviews} drop`);
  // An attempt that gets no answer fails after two seconds instead of two minutes.
  await gateway.sysctl({ "net.ipv4.tcp_syn_retries": 1 });
  const stack = made.move();
  return { customers, gateway, stock, database, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function join(netns: Netns, device: string, address: string, rate: string): Promise<void> {
  await netns.ip("address", "add", address, "dev", device);
  await netns.ip("link", "set", device, "up");
  // A packet is a segment, so that one drop is one retransmission.
  await netns.ip("link", "set", device, "gso_max_segs", "1", "gso_max_size", "1500");
  const slow = `qdisc add dev ${device} root tbf rate ${rate} burst 32kb latency 400ms`;
  await netns.run("tc", ...slow.split(" "));
}
