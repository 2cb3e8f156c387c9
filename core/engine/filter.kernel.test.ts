// Filters in the kernel, on real connections: each criterion on both sides, agent-wide and of one plugin.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Cgroup } from "../../test/support/cgroup.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, type Running, run, start } from "../../test/support/workload.ts";

type Settings = Readonly<Record<string, string>>;

const small: Settings = { "ring.core": "64KiB" };

/** `7101>` is the end that opened a connection to port 7101, `7101<` the one that accepted it. */
function labels(seen: Watch, ...namespaces: readonly Netns[]): string[] {
  const inodes = namespaces.map(inodeOf);
  const own = seen.spans.filter(({ attributes }) =>
    inodes.includes(attributes["wirespan.netns.inode"] as number),
  );
  const label = ({ attributes }: (typeof own)[number]): string => {
    const inbound = attributes["wirespan.connection.direction"] === "inbound";
    const twin = attributes["wirespan.netns.inode"] === inodes[1] ? "b" : "";
    return `${twin}${attributes[inbound ? "network.local.port" : "network.peer.port"]}${inbound ? "<" : ">"}`;
  };
  return own.map(label).sort();
}

const both = (...ports: readonly string[]) => ports.flatMap((port) => [`${port}>`, `${port}<`]);
const everything = [...both("7101", "7102", "7103", "7105", "7106", "7107", "b7101"), "9>"];
const but = (...left: readonly string[]) => everything.filter((label) => !left.includes(label));

/** A criterion, and the ends that match it: an inclusion keeps these, an exclusion all others. */
function criteria(a: Netns): readonly (readonly [criterion: string, value: string, of: readonly string[]])[] {
  return [
    ["comm", "alpha", [...both("7101").slice(0, 1), "9>"]],
    ["comm", "alpha*", ["7101>", "7102>", "9>"]],
    ["comm", "beta,gamma", both("7103")],
    ["uid", "65534", ["7102>"]],
    ["netns", String(inodeOf(a)), everything.filter((label) => !label.startsWith("b"))],
    ["localPort", "7101-7103,7107", ["7101<", "7102<", "7103<", "7107<", "b7101<"]],
    ["remotePort", "9,7105", ["9>", "7105>"]],
    ["localAddress", "10.9.8.0/24", both("7106")],
    ["remoteAddress", "127.0.0.0/8", [...both("7101", "7103", "7105", "7107", "b7101"), "9>"]],
    ["remoteAddress", "::1", both("7102")],
    ["remoteAddress", "::ffff:127.0.0.0/104", [...both("7101", "7103", "7105", "7107", "b7101"), "9>"]],
    ["address", "10.9.8.0/24", both("7106")],
    ["address", "::1,10.9.8.7", [...both("7102"), ...both("7106")]],
    ["family", "ipv4", but(...both("7102"))],
    ["family", "ipv6", both("7102")],
    ["family", "ipv4_mapped", both("7103")],
    ["direction", "outbound", everything.filter((label) => label.endsWith(">"))],
    ["direction", "inbound", everything.filter((label) => label.endsWith("<"))],
  ];
}

interface Filtered {
  readonly settings: Settings;
  readonly expected: readonly string[];
}

function cases(a: Netns, b: Netns): Readonly<Record<string, Filtered>> {
  const found: Record<string, Filtered> = {};
  for (const [name, value, of] of criteria(a)) {
    found[`include ${name} ${value}`] = {
      settings: { [`plugins.tcplife.filter.include.${name}`]: value },
      expected: of,
    };
    found[`exclude ${name} ${value}`] = {
      settings: { [`filter.exclude.${name}`]: value },
      expected: but(...of),
    };
  }
  return {
    ...found,
    "minDuration 1s": { settings: { "filter.minDuration": "1s" }, expected: both("7107") },
    failuresOnly: {
      settings: { "plugins.tcplife.filter.failuresOnly": "true" },
      expected: [...both("7105"), "9>"],
    },
    "two criteria of one inclusion: both hold": {
      settings: { "filter.include.comm": "alpha*", "filter.include.family": "ipv4" },
      expected: ["7101>", "9>"],
    },
    "two criteria of one exclusion: one is enough": {
      settings: { "filter.exclude.comm": "alpha*", "filter.exclude.family": "ipv4" },
      expected: ["7102<"],
    },
    "the agent's and the plugin's: both let it pass": {
      settings: {
        "filter.include.remotePort": "7101,7102",
        "plugins.tcplife.filter.exclude.netns": String(inodeOf(b)),
        "plugins.tcplife.filter.include.family": "ipv4",
      },
      expected: ["7101>"],
    },
  };
}

async function traffic(a: Netns, b: Netns): Promise<void> {
  const quick = { delay: 0 };
  await Promise.all([
    run(a, "clientCloses", { ...quick, port: 7101, clientComm: "alpha" }),
    run(a, "clientCloses", { ...quick, port: 7102, clientComm: "alphabet", uid: 65534, address: "::1" }),
    run(a, "clientCloses", {
      ...{ ...quick, port: 7103, address: "::ffff:127.0.0.1", listen: "::" },
      ...{ clientComm: "beta", serverComm: "gamma" },
    }),
    run(a, "attempt", { clientComm: "alpha" }),
    run(a, "reset", { port: 7105 }),
    run(a, "clientCloses", { ...quick, port: 7106, address: "10.9.8.7" }),
    run(a, "halfClose", { port: 7107, delay: 1500 }),
    run(b, "clientCloses", { ...quick, port: 7101 }),
  ]);
}

describe("filters", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("apply each criterion in the kernel", async () => {
    await using a = await Netns.create();
    await using b = await Netns.create();
    await a.ip("address", "add", "10.9.8.7/32", "dev", "lo");
    await using cleanup = new AsyncDisposableStack();
    // Every filter is combined with this one, which excludes the traffic of other tests.
    const base = { ...small, "filter.include.netns": `${inodeOf(a)},${inodeOf(b)}` };
    const all = cleanup.use(await watch(["tcplife"], base));
    const filtered = await Promise.all(
      Object.entries(cases(a, b)).map(async ([name, { settings, expected }]) => {
        const seen = cleanup.use(await watch(["tcplife"], { ...base, ...settings }));
        return { name, seen, expected };
      }),
    );
    await traffic(a, b);
    await all.until("all ends", () => labels(all, a, b).length >= everything.length);
    assert.deepEqual(labels(all, a, b), everything.toSorted());
    const found = filtered.map(({ name, seen }) => {
      seen.engine.drain();
      return `${name}: ${labels(seen, a, b).join(" ")}`;
    });
    assert.deepEqual(
      found,
      filtered.map(({ name, expected }) => `${name}: ${expected.toSorted().join(" ")}`),
    );
  });

  describe("on existing processes", () => {
    let netns: Netns;
    let running: Running;
    let server: number;
    let client: number;

    beforeEach(async () => {
      netns = await Netns.create();
      running = await start(netns, "accepters", { count: 3 });
      server = (await running.until("blocked")).pid;
      const { ppid } = statOf(server);
      const children = () =>
        readFileSync(`/proc/${ppid}/task/${ppid}/children`, "utf8").trim().split(" ").map(Number);
      while (children().length < 2) await delay(5);
      client = children().find((pid) => pid !== server)!;
    });

    afterEach(async () => {
      await running[Symbol.asyncDispose]();
      await netns[Symbol.asyncDispose]();
    });

    /** Ends by label, once an unfiltered watch has all six. */
    async function ends(...settings: readonly Settings[]): Promise<string[][]> {
      await using cleanup = new AsyncDisposableStack();
      const base = { ...small, "filter.include.netns": String(inodeOf(netns)) };
      const all = cleanup.use(await watch(["tcplife"], base));
      const filtered: Watch[] = [];
      for (const own of settings) filtered.push(cleanup.use(await watch(["tcplife"], { ...base, ...own })));
      running.goOn();
      await running.done();
      await all.until("six ends", () => labels(all, netns).length >= 6);
      for (const seen of filtered) seen.engine.drain();
      return filtered.map((seen) => labels(seen, netns));
    }

    const opened = ["21000>", "21001>", "21002>"];
    const accepted = ["21000<", "21001<", "21002<"];

    it("match them by pid", async () => {
      const of = (side: string, pid: number): Settings => ({ [`filter.${side}.pid`]: String(pid) });
      const found = await ends(of("include", server), of("exclude", server), of("include", client));
      assert.deepEqual(found, [accepted, opened, opened]);
    });

    it("match the network namespace of one of them", async () => {
      const found = await ends(
        { "plugins.tcplife.filter.include.netns": `pid:${server}` },
        { "filter.exclude.netns": `pid:${server}` },
        { "plugins.tcplife.filter.include.netns": `pid:${process.pid}` },
      );
      assert.deepEqual(found, [[...accepted, ...opened].sort(), [], []]);
    });

    it("match a cgroup with everything below it", async function () {
      await using top = Cgroup.create(this);
      await using outer = top.child("outer");
      await using inner = outer.child("inner");
      await using other = top.child("other");
      await using _ = { [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
      inner.add(client);
      other.add(server);
      const found = await ends(
        { "filter.include.cgroup": outer.path },
        { "filter.exclude.cgroup": outer.path },
        { "plugins.tcplife.filter.include.cgroup": other.path },
        { "plugins.tcplife.filter.include.cgroup": `${inner.path},${other.path}` },
        { "filter.include.cgroup": top.path },
      );
      const all = [...accepted, ...opened].sort();
      assert.deepEqual(found, [opened, accepted, accepted, all, all]);
    });
  });

  for (const [what, settings, message] of [
    ["a process that is not there", { "filter.include.netns": "pid:4194304" }, /there is no such process/],
    ["a cgroup that is not there", { "filter.include.cgroup": "/no/such" }, /no cgroup .*no\/such/],
  ] as const) {
    it(`are refused for ${what}`, async () => {
      await assert.rejects(watch(["tcplife"], settings), { code: "CONFIG_INVALID", message });
    });
  }
});

function statOf(pid: number): { readonly ppid: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return { ppid: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) };
}
