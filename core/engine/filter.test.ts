import assert from "node:assert/strict";
import { CRITERIA, withDefaults } from "../../config/criteria.ts";
import { loadConfig } from "../../config/load.ts";
import { skeleton } from "../../plugins/tcplife/tcplife.skel.ts";
import { packConstant } from "../bridge/pack.ts";
import type { ConstantStruct, Plugin } from "../plugin/plugin.ts";
import type { Filter, Match } from "../plugin/settings.ts";
import { importPlugins } from "./discover.ts";
import { ignoredCriteria, packFilter } from "./filter.ts";

const { include: nothing } = withDefaults();

const names = {
  cgroup: (path: string) => ["/a", "/b", "/c"].indexOf(path),
  pid: (_: string, text: string) => Number(text),
  netns: (text: string) => (text === "pid:7" ? 4026531840 : Number(text)),
};

type Packed = Readonly<Record<string, unknown>>;

function pack(include: Partial<Match>, rest: Partial<Filter> = {}): Packed {
  const filter = withDefaults({ include, ...rest });
  return packFilter("filter", filter, names) as Packed;
}

/** The fields of the inclusion that are not empty. */
function included(match: Partial<Match>): Packed {
  const entries = Object.entries(pack(match).include as Packed);
  return Object.fromEntries(entries.filter(([, v]) => (Array.isArray(v) ? v.length > 0 : v !== 0)));
}

const bytes = (...list: number[]): Uint8Array => {
  const all = new Uint8Array(16);
  all.set(list);
  return all;
};

describe("a filter of a plugin that does not observe connections", () => {
  const load = (path: string, value: string, plugins: readonly Plugin[]) =>
    loadConfig({ env: {}, flags: [{ path, value, flag: "--set" }], plugins });

  it("is refused for criteria that do not apply", async () => {
    const { plugins } = await importPlugins(["netqtop", "softirqs"]);
    for (const [path, value] of [
      ["plugins.netqtop.filter.include.pid", "1"],
      ["plugins.netqtop.filter.failuresOnly", "true"],
      ["plugins.softirqs.filter.exclude.netns", "1"],
    ] as const)
      assert.throws(() => load(path, value, plugins), { code: "CONFIG_INVALID" });
    const { netqtop } = load("plugins.netqtop.filter.include.netns", "7", plugins).plugins;
    assert.deepEqual(netqtop?.filter, withDefaults({ include: { netns: ["7"] } }));
  });

  it("ignores the agent's criteria that do not apply, by name", () => {
    const filter = withDefaults({
      include: { netns: ["1"], pid: ["1"] },
      exclude: { comm: ["a"] },
      cgroupMap: "/sys/fs/bpf/a",
    });
    assert.deepEqual(ignoredCriteria(filter, ["netns"]), [
      "filter.include.pid",
      "filter.exclude.comm",
      "filter.cgroupMap",
    ]);
    assert.deepEqual(ignoredCriteria(withDefaults({ include: { netns: ["1"] } }), ["netns"]), []);
  });
});

describe("a packed filter", () => {
  it("is empty, thus all zeros, if it has no criteria", () => {
    assert.deepEqual(pack({}), {});
  });

  it("says that it is used if it has any criterion", () => {
    const criteria: [keyof Match, string][] = [
      ["pid", "1"],
      ["comm", "a"],
      ["uid", "0"],
      ["netns", "1"],
      ["cgroup", "/a"],
      ["localPort", "1"],
      ["remotePort", "1"],
      ["localAddress", "10.0.0.0/8"],
      ["remoteAddress", "10.0.0.0/8"],
      ["address", "0.0.0.0/0"],
      ["family", "ipv4"],
      ["direction", "inbound"],
    ];
    const others: Partial<Filter>[] = [
      { minDuration: 1 },
      { failuresOnly: true },
      { cgroupMap: "/sys/fs/bpf/a" },
      { mntnsMap: "/sys/fs/bpf/a" },
    ];
    assert.deepEqual(criteria.map(([key]) => key).sort(), Object.keys(CRITERIA).sort());
    for (const [key, value] of criteria) {
      assert.equal(pack({ [key]: [value] }).is_used, true, key);
      assert.equal(pack({}, { exclude: { ...nothing, [key]: [value] } }).is_used, true, key);
    }
    for (const other of others) assert.equal(pack({}, other).is_used, true, JSON.stringify(other));
  });

  it("holds numbers with their count", () => {
    assert.deepEqual(included({ pid: ["1", "4194304"] }), { pids: 2, pid: [1, 4194304] });
    assert.deepEqual(included({ uid: ["0", "4294967295"] }), { uids: 2, uid: [0, 4294967295] });
    assert.deepEqual(included({ netns: ["4026532177", "pid:7"] }), {
      netns: 2,
      netns_inode: [4026532177, 4026531840],
    });
  });

  it("compares a whole name with its end, a prefix without", () => {
    const nginx = [...Buffer.from("nginx")];
    assert.deepEqual(included({ comm: ["nginx", "nginx*"] }), {
      comms: 2,
      comm: [
        { value: bytes(...nginx), mask: new Uint8Array(16).fill(255, 0, 6) },
        { value: bytes(...nginx), mask: new Uint8Array(16).fill(255, 0, 5) },
      ],
    });
    const [all] = included({ comm: ["*"] }).comm as { mask: Uint8Array }[];
    assert.deepEqual(all?.mask, new Uint8Array(16));
  });

  it("joins ports that touch or overlap", () => {
    const text = ["8080", "22", "8000-8079", "23-24", "24-30", "65535"];
    assert.deepEqual(included({ localPort: text }), {
      local_ports: 3,
      local_port: [
        { first: 22, last: 30 },
        { first: 8000, last: 8080 },
        { first: 65535, last: 65535 },
      ],
    });
    const many = Array.from({ length: 1000 }, (_, i) => String(i + 1));
    assert.deepEqual(included({ remotePort: many }).remote_port, [{ first: 1, last: 1000 }]);
  });

  it("holds addresses with their masks; mapped ones are IPv4", () => {
    const v4 = { address: bytes(10, 1, 128), mask: bytes(255, 255, 128), family: 4 };
    assert.deepEqual(included({ localAddress: ["10.1.128.0/17"] }), { local_cidrs: 1, local_cidr: [v4] });
    assert.deepEqual(included({ remoteAddress: ["::ffff:10.1.128.0/113"] }), {
      remote_cidrs: 1,
      remote_cidr: [v4],
    });
    const [all, one] = included({ remoteAddress: ["::/0", "fd13::2"] }).remote_cidr as Packed[];
    assert.deepEqual(all, { address: bytes(), mask: bytes(), family: 6 });
    assert.deepEqual(one?.mask, new Uint8Array(16).fill(255));
  });

  it("holds sets as bits", () => {
    assert.deepEqual(included({ family: ["ipv4", "ipv6"] }), { families: 3 });
    assert.deepEqual(included({ family: ["ipv4_mapped"] }), { families: 4 });
    assert.deepEqual(included({ direction: ["outbound"] }), { directions: 2 });
    assert.deepEqual(included({ direction: ["inbound", "outbound"] }), { directions: 6 });
    assert.deepEqual(included({ cgroup: ["/c", "/a", "/c"] }), { cgroups: 5 });
  });

  it("holds durations in nanoseconds, and what is excluded", () => {
    const packed = pack(
      { pid: ["1"] },
      { exclude: { ...nothing, pid: ["2"] }, minDuration: 0.5, failuresOnly: true },
    );
    assert.equal(packed.min_duration_ns, 500_000);
    assert.equal(packed.failures_only, true);
    assert.deepEqual((packed.exclude as Packed).pid, [2]);
  });

  it("is refused if it has more values than the programs hold, with the path and the limit", async () => {
    const { plugins } = await importPlugins(["tcplife", "netqtop"]);
    const list = (length: number) => Array.from({ length }, (_, i) => String(2 * i + 1)).join();
    const load = (path: string, value: string) =>
      loadConfig({ env: {}, flags: [{ path, value, flag: "--set" }], plugins });
    const addresses = (length: number) => Array.from({ length }, (_, i) => `10.0.0.${i}`).join();
    const limits: readonly [keyof Match, (length: number) => string, number][] = [
      ["pid", list, 16],
      ["comm", list, 16],
      ["uid", list, 16],
      ["netns", list, 16],
      ["localPort", list, 32],
      ["remotePort", list, 32],
      ["localAddress", addresses, 16],
      ["remoteAddress", addresses, 16],
      ["address", addresses, 16],
    ];
    for (const [key, values, most] of limits) {
      for (const path of [`filter.include.${key}`, `plugins.tcplife.filter.exclude.${key}`]) {
        assert.doesNotThrow(() => load(path, values(most)), path);
        const detail = new RegExp(`^--set: ${path}: expected .*, at most ${most} (of them|separate ranges)`);
        assert.throws(() => load(path, values(most + 1)), { code: "CONFIG_INVALID", detail }, path);
      }
    }
    assert.throws(() => load("plugins.netqtop.filter.include.netns", list(17)), { code: "CONFIG_INVALID" });
    const unlimited = Object.keys(CRITERIA).filter((key) => !limits.some(([limited]) => limited === key));
    assert.deepEqual(unlimited, ["cgroup", "family", "direction"]);
    // One range for all of them.
    const ports = Array.from({ length: 1000 }, (_, i) => String(i + 1)).join();
    assert.doesNotThrow(() => load("filter.include.localPort", ports));
  });
});

describe("bpf/include/wirespan/filter.h", () => {
  it("holds as much as the packing lets through", () => {
    const list = (length: number, from = 1) => Array.from({ length }, (_, i) => String(2 * i + from));
    const addresses = list(16).map((n) => `10.0.0.${n}`);
    const most: Match = {
      pid: list(16),
      comm: list(16),
      uid: list(16),
      cgroup: ["/a", "/b", "/c"],
      netns: list(16),
      localPort: list(32),
      remotePort: list(32),
      localAddress: addresses,
      remoteAddress: addresses,
      address: addresses,
      family: ["ipv4", "ipv6", "ipv4_mapped"],
      direction: ["inbound", "outbound"],
    };
    const packed = pack(most, { exclude: most, minDuration: 1, failuresOnly: true });
    const { plugin_filter: layout } = skeleton.constants;
    const bytes = packConstant("plugin_filter", layout, packed as ConstantStruct);
    const zeros = packConstant("plugin_filter", layout, pack({}) as ConstantStruct);
    assert.equal(bytes.length, layout.size);
    assert.ok(zeros.every((byte) => byte === 0));
  });
});
