// Namespaces wired together.
import { Netns } from "./netns.ts";

/** Two namespaces joined by one veth pair, `wire0` on both sides. */
export interface Pair extends AsyncDisposable {
  /** 10.213.0.1 and fd13::1. */
  readonly a: Netns;
  /** 10.213.0.2 and fd13::2. */
  readonly b: Netns;
}

export const addresses = { a: "10.213.0.1", b: "10.213.0.2", a6: "fd13::1", b6: "fd13::2" } as const;

/** `queues` is the number of transmit and of receive queues on each side. */
export async function pair({ queues = 1 }: { readonly queues?: number } = {}): Promise<Pair> {
  await using made = new AsyncDisposableStack();
  const a = made.use(await Netns.create());
  const b = made.use(await Netns.create());
  await wire(a, b, { queues });
  await address(a, "wire0", `${addresses.a}/24`, `${addresses.a6}/64`);
  await address(b, "wire0", `${addresses.b}/24`, `${addresses.b6}/64`);
  await acquaint(a, b, addresses.b, addresses.b6);
  await acquaint(b, a, addresses.a, addresses.a6);
  return disposedBy(made.move(), { a, b });
}

/** Disables segmentation offload: from now on the devices handle segments as they are on the wire. */
export async function withoutOffload(net: Pair): Promise<void> {
  for (const netns of [net.a, net.b])
    await netns.ip("link", "set", "wire0", "gso_max_segs", "1", "gso_max_size", "1500");
}

/** Client and server with a router between them that rewrites both addresses. */
export interface Routed extends AsyncDisposable {
  /** 10.213.0.1 and fd13::1. It reaches the server's ports at the router's 10.213.0.254 and fd13::fe. */
  readonly client: Netns;
  readonly router: Netns;
  /** 10.213.1.2 and fd13:1::2. It sees every client as the router's 10.213.1.254 or fd13:1::fe. */
  readonly server: Netns;
}

export const routedAddresses = {
  ...{ server: "10.213.1.2", routerForClient: "10.213.0.254" },
  ...{ server6: "fd13:1::2", routerForClient6: "fd13::fe" },
} as const;

/** `ipv6`: with IPv6 as well. */
export async function routed({ ipv6 = false }: { readonly ipv6?: boolean } = {}): Promise<Routed> {
  await using made = new AsyncDisposableStack();
  const client = made.use(await Netns.create());
  const router = made.use(await Netns.create());
  const server = made.use(await Netns.create());
  await wire(client, router, { there: "client0" });
  await wire(server, router, { there: "server0" });
  await address(client, "wire0", `${addresses.a}/24`);
  await address(router, "client0", `${routedAddresses.routerForClient}/24`);
  await address(router, "server0", "10.213.1.254/24");
  await address(server, "wire0", `${routedAddresses.server}/24`);
  await router.sysctl({ "net.ipv4.ip_forward": 1 });
  await router.run("nft", "add table ip nat");
  await router.run("nft", "add chain ip nat in { type nat hook prerouting priority -100; }");
  await router.run("nft", "add chain ip nat out { type nat hook postrouting priority 100; }");
  await router.run(
    "nft",
    `add rule ip nat in ip daddr ${routedAddresses.routerForClient} dnat to ${routedAddresses.server}`,
  );
  await router.run("nft", "add rule ip nat out oifname server0 masquerade");
  if (ipv6) await route6({ client, router, server });
  return disposedBy(made.move(), { client, router, server });
}

/** The same path over IPv6. */
async function route6({ client, router, server }: Omit<Routed, keyof AsyncDisposable>): Promise<void> {
  const { server6, routerForClient6 } = routedAddresses;
  await address(client, "wire0", `${addresses.a6}/64`);
  await address(router, "client0", `${routerForClient6}/64`);
  await address(router, "server0", "fd13:1::fe/64");
  await address(server, "wire0", `${server6}/64`);
  await acquaint(client, [router, "client0"], routerForClient6);
  await acquaint([router, "client0"], client, addresses.a6);
  await acquaint(server, [router, "server0"], "fd13:1::fe");
  await acquaint([router, "server0"], server, server6);
  await router.sysctl({ "net.ipv6.conf.all.forwarding": 1 });
  await router.run("nft", "add table ip6 nat");
  await router.run("nft", "add chain ip6 nat in { type nat hook prerouting priority -100; }");
  await router.run("nft", "add chain ip6 nat out { type nat hook postrouting priority 100; }");
  await router.run("nft", `add rule ip6 nat in ip6 daddr ${routerForClient6} dnat to ${server6}`);
  await router.run("nft", "add rule ip6 nat out oifname server0 masquerade");
}

async function wire(
  from: Netns,
  to: Netns,
  { queues = 1, there = "wire0" }: { readonly queues?: number; readonly there?: string },
): Promise<void> {
  const width = ["numtxqueues", String(queues), "numrxqueues", String(queues)];
  await from.ip(
    ...["link", "add", "name", "wire0", ...width, "type", "veth"],
    ...["peer", "name", there, ...width, "netns", to.name],
  );
}

/** Disables duplicate address detection and link-local traffic, so that counts include only the test's traffic. */
async function address(netns: Netns, device: string, ...own: readonly string[]): Promise<void> {
  await netns.ip("link", "set", device, "addrgenmode", "none");
  for (const one of own) {
    await netns.ip("address", "add", one, "dev", device, ...(one.includes(":") ? ["nodad"] : []));
  }
  await netns.ip("link", "set", device, "up");
}

/**
 * Sets the link address of a neighbour of `netns`. Resolving it would add packets to the counts, and the first request over
 * IPv6 is lost, so that a handshake would take a second.
 */
async function acquaint(at: Place, neighbour: Place, ...ips: readonly string[]): Promise<void> {
  const [[netns, device], [other, wired]] = [placeOf(at), placeOf(neighbour)];
  const [link] = JSON.parse(await other.ip("-j", "link", "show", wired)) as { address: string }[];
  if (!link) throw new Error(`${other.name} has no ${wired}`);
  for (const ip of ips) {
    await netns.ip("neighbour", "replace", ip, "lladdr", link.address, "dev", device, "nud", "permanent");
  }
}

/** A namespace and one of its devices; `wire0` by default. */
type Place = Netns | readonly [netns: Netns, device: string];

const placeOf = (place: Place) => (place instanceof Netns ? ([place, "wire0"] as const) : place);

function disposedBy<T extends object>(stack: AsyncDisposableStack, value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: () => stack.disposeAsync() });
}
