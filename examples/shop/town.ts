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

/** One in `loss` packets with payload is dropped, in each direction of each link. */
export async function build({ loss, rate }: { readonly loss: number; readonly rate: string }): Promise<Town> {
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
    // Packets of a handshake and acknowledgements alone are shorter.
    const payload = 'iifname != "lo" meta l4proto tcp meta length > 90';
    await netns.run("nft", `add rule inet road in ${payload} numgen inc mod ${loss} == 0 drop`);
  }
  const stack = made.move();
  return { customers, gateway, stock, database, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function join(netns: Netns, device: string, address: string, rate: string): Promise<void> {
  await netns.ip("address", "add", address, "dev", device);
  await netns.ip("link", "set", device, "up");
  // Without offloads a packet is a segment, so that one drop is one retransmission.
  for (const offload of ["tso", "gso", "gro"])
    await netns.run("ethtool", "-K", device, offload, "off").catch(() => {});
  await netns.run(
    "tc",
    "qdisc",
    "add",
    "dev",
    device,
    "root",
    "tbf",
    "rate",
    rate,
    "burst",
    "32kb",
    "latency",
    "400ms",
  );
}
