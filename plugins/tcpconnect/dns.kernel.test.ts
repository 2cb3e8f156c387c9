// Names of destinations, as applications get them from a resolver.
import assert from "node:assert/strict";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { Ends, inodeOf } from "../../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { Application, startResolver } from "../../test/support/resolver.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair } from "../../test/support/topology.ts";

const NAME = "dns.question.name";
const AGE = "wirespan.dns.answer.age";
const PORT = 7000;

/** A local resolver, such as systemd's or Docker's, and what it uses, all in one namespace. */
async function startLocal(netns: Netns, ttl = 60): Promise<AsyncDisposable> {
  const zone = {
    "www.test": { a: ["127.0.0.7"], aaaa: ["::1"], ttl },
    "alias.test": { cname: "edge.test", ttl },
    "edge.test": { cname: "real.test", ttl },
    "real.test": { a: ["127.0.0.8"], ttl },
  };
  const listen = ["127.0.0.7", "127.0.0.8", "::1"].map((address) => `${address}:${PORT}`);
  return await startResolver(netns, zone, { dns: ["127.0.0.53", "::1"], listen });
}

const reported = (row: Row) => [row["process.pid"], row["network.peer.address"], row[NAME]];

describe("tcpconnect with names from DNS", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    if (native.tracepointArity("sock_recv_length") < 0) skip(this, "no sock_recv_length before Linux 6.3");
    agent = await startAgent(["trace", "tcpconnect", "-d", "--json"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  it("reports the name that getaddrinfo looked up, and for an alias the queried name", async () => {
    await using netns = await Netns.create();
    await using _ = await startLocal(netns);
    await using application = await Application.start(netns, "127.0.0.53");
    const ends = new Ends(agent, netns);
    const [www, alias] = [
      await application.connect("WWW.test", PORT),
      await application.connect("alias.test", PORT),
    ];
    const rows = await ends.all(2);
    assert.deepEqual(rows.map(reported), [
      [www.pid, www.address, "www.test"],
      [alias.pid, "127.0.0.8", "alias.test"],
    ]);
    for (const row of rows) assert.ok((row[AGE] as number) >= 0 && (row[AGE] as number) < 60);
  });

  it("reports no name for a process without a lookup, nor for addresses that no answer had", async () => {
    await using netns = await Netns.create();
    await using _ = await startLocal(netns);
    await using asking = await Application.start(netns, "127.0.0.53");
    await using silent = await Application.start(netns, "127.0.0.53");
    const ends = new Ends(agent, netns);
    await asking.connect("alias.test", PORT);
    const { pid } = await silent.connect("127.0.0.8", PORT);
    await asking.connect("127.0.0.7", PORT);
    const [first, second, third] = await ends.all(3);
    assert.equal(first![NAME], "alias.test");
    assert.deepEqual(reported(second!), [pid, "127.0.0.8", undefined]);
    assert.deepEqual(
      [third!["network.peer.address"], third![NAME], third![AGE]],
      ["127.0.0.7", undefined, undefined],
    );
  });

  it("distinguishes namespaces in which one address has different names", async () => {
    await using one = await Netns.create();
    await using two = await Netns.create();
    const names = ["one.test", "two.test"];
    const rows = await Promise.all(
      [one, two].map(async (netns, i) => {
        const zone = { [names[i]!]: { a: ["127.0.0.7"], ttl: 60 } };
        const ends = new Ends(agent, netns);
        await using _ = await startResolver(netns, zone, {
          dns: ["127.0.0.53"],
          listen: [`127.0.0.7:${PORT}`],
        });
        await using application = await Application.start(netns, "127.0.0.53");
        await application.connect(names[i]!, PORT);
        return await ends.one();
      }),
    );
    assert.deepEqual(
      rows.map((row) => row[NAME]),
      names,
    );
  });

  it("reads answers from the network, over IPv4 and IPv6, for both families", async () => {
    await using net = await pair();
    const zone = {
      "four.test": { a: [addresses.b], ttl: 0 },
      "six.test": { aaaa: [addresses.b6], ttl: 0 },
    };
    const both = [addresses.b, addresses.b6];
    await using _ = await startResolver(net.b, zone, {
      dns: both,
      listen: both.map((at) => `${at}:${PORT}`),
    });
    for (const server of both) {
      await using application = await Application.start(net.a, server);
      const ends = new Ends(agent, net.a);
      await application.connect("four.test", PORT);
      await application.connect("six.test", PORT);
      const rows = await ends.all(2);
      assert.deepEqual(
        rows.map((row) => [row["network.peer.address"], row[NAME]]),
        [
          [addresses.b, "four.test"],
          [addresses.b6, "six.test"],
        ],
      );
    }
  });

  it("reads answers to a process's own queries, over a socket that is not connected", async () => {
    await using netns = await Netns.create();
    await using _ = await startLocal(netns);
    await using application = await Application.start(netns, "127.0.0.53");
    const ends = new Ends(agent, netns);
    await application.ask("127.0.0.53", "edge.test");
    await application.connect("127.0.0.8", PORT);
    await application.ask("::1", "alias.test");
    await application.connect("127.0.0.8", PORT);
    const rows = await ends.all(2);
    assert.deepEqual(
      rows.map((row) => row[NAME]),
      ["edge.test", "alias.test"],
    );
  });

  it("reports the name in the process's namespace, not where its answer was forwarded", async () => {
    await using client = await Netns.create();
    await using net = await pair();
    // net.a forwards packets to the same port that one of its own sockets is bound to.
    await client.ip("link", "add", "wire1", "type", "veth", "peer", "name", "wire1", "netns", net.a.name);
    for (const [netns, own] of [
      [client, "10.214.0.1/24"],
      [net.a, "10.214.0.2/24"],
    ] as const) {
      await netns.ip("address", "add", own, "dev", "wire1");
      await netns.ip("link", "set", "wire1", "up");
    }
    await net.a.sysctl({ "net.ipv4.ip_forward": 1 });
    await client.ip("route", "add", "default", "via", "10.214.0.2");
    await net.b.ip("route", "add", "10.214.0.0/24", "via", addresses.a);
    const zone = { "www.test": { a: [addresses.b], ttl: 60 } };
    await using _ = await startResolver(net.b, zone, {
      dns: [addresses.b],
      listen: [`${addresses.b}:${PORT}`],
    });
    await using application = await Application.start(client, addresses.b);
    const ends = new Ends(agent, client, net.a);
    await application.connect("www.test", PORT);
    await using router = await Application.start(net.a, addresses.b);
    await router.connect(addresses.b, PORT);
    const rows = await ends.all(2);
    assert.deepEqual(
      rows.map((row) => [row["wirespan.netns.inode"], row[NAME]]),
      [
        [inodeOf(client), "www.test"],
        [inodeOf(net.a), undefined],
      ],
    );
  });

  it("prints bcc's column, empty if no name is known", async () => {
    await using netns = await Netns.create();
    await using _ = await startLocal(netns);
    await using application = await Application.start(netns, "127.0.0.53");
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(netns)}`;
    await using printing = await startAgent(["trace", "tcpconnect", "-d", "--csv", "--set", only]);
    await application.connect("127.0.0.8", PORT);
    await application.connect("real.test", PORT);
    const [header, first, second] = (await printing.stop()).stdout;
    assert.equal(header, "PID,COMM,IP,SADDR,DADDR,DPORT,RESULT,QUERY,AGE(ms)");
    assert.match(first ?? "", /,127\.0\.0\.8,7000,established,,$/);
    assert.match(second ?? "", /,127\.0\.0\.8,7000,established,real\.test,\d+\.\d$/);
  });

  it("reads no answers unless enabled", async () => {
    await using netns = await Netns.create();
    await using _ = await startLocal(netns);
    await using application = await Application.start(netns, "127.0.0.53");
    await using plain = await startAgent(["trace", "tcpconnect", "--json"]);
    const ends = new Ends(plain, netns);
    await application.connect("real.test", PORT);
    const row = await ends.one();
    assert.deepEqual([row[NAME], row[AGE]], [undefined, undefined]);
  });
});
