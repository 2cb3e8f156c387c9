import assert from "node:assert/strict";
import { loadConfig } from "../../config/load.ts";
import { skeleton } from "../../plugins/tcplife/tcplife.skel.ts";
import { packConstant } from "../bridge/pack.ts";
import type { ConstantStruct, Plugin } from "../plugin/plugin.ts";
import type { Filter, Match } from "../plugin/settings.ts";
import { importPlugins } from "./discover.ts";
import { packFilter, unheard, wholeFilter } from "./filter.ts";

const { include: nothing } = wholeFilter();

const names = {
  cgroup: (path: string) => ["/a", "/b", "/c"].indexOf(path),
  pid: (_: string, text: string) => Number(text),
  netns: (text: string) => (text === "pid:7" ? 4026531840 : Number(text)),
};

type Packed = Readonly<Record<string, unknown>>;

function pack(include: Partial<Match>, rest: Partial<Filter> = {}): Packed {
  const filter = wholeFilter({ include, ...rest });
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

describe("a filter of a plugin that is not about connections", () => {
  const load = (path: string, value: string, plugins: readonly Plugin[]) =>
    loadConfig({ env: {}, flags: [{ path, value, flag: "--set" }], plugins });

  it("is refused in what means nothing there", async () => {
    const { plugins } = await importPlugins(["netqtop", "softirqs"]);
    for (const [path, value] of [
      ["plugins.netqtop.filter.include.pid", "1"],
      ["plugins.netqtop.filter.failuresOnly", "true"],
      ["plugins.softirqs.filter.exclude.netns", "1"],
    ] as const)
      assert.throws(() => load(path, value, plugins), { code: "CONFIG_INVALID" });
    const { netqtop } = load("plugins.netqtop.filter.include.netns", "7", plugins).plugins;
    assert.deepEqual(netqtop?.filter, wholeFilter({ include: { netns: ["7"] } }));
  });

  it("leaves the agent's unheard in what means nothing there, by name", () => {
    const filter = wholeFilter({
      include: { netns: ["1"], pid: ["1"] },
      exclude: { comm: ["a"] },
      cgroupMap: "/sys/fs/bpf/a",
    });
    assert.deepEqual(unheard(filter, ["netns"]), [
      "filter.include.pid",
      "filter.exclude.comm",
      "filter.cgroupMap",
    ]);
    assert.deepEqual(unheard(wholeFilter({ include: { netns: ["1"] } }), ["netns"]), []);
  });
});

describe("a packed filter", () => {
  it("is all zeros where nothing is asked", () => {
    assert.deepEqual(included({}), {});
    const { exclude, include, ...rest } = pack({});
    assert.deepEqual(exclude, include);
    assert.deepEqual(rest, { min_duration_ns: 0, failures_only: 0, by_cgroup_map: 0, by_mntns_map: 0 });
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
    assert.equal(packed.failures_only, 1);
    assert.deepEqual((packed.exclude as Packed).pid, [2]);
  });

  it("is refused where the kernel side has no room for it", () => {
    const list = (length: number) => Array.from({ length }, (_, i) => String(2 * i + 1));
    assert.doesNotThrow(() => pack({ pid: list(16), localPort: list(32) }));
    const tooMuch: readonly [Partial<Match>, RegExp][] = [
      [{ pid: list(17) }, /^filter\.include\.pid: 17 pids in one list; the kernel side holds 16$/],
      [{ uid: list(17) }, /17 uids/],
      [{ netns: list(17) }, /17 network namespaces/],
      [{ comm: list(17) }, /17 names/],
      [{ localPort: list(33) }, /33 separate ranges of ports .* 32/],
      [{ remoteAddress: list(17).map((n) => `10.0.0.${n}`) }, /17 addresses/],
      [{ pid: ["4294967296"] }, /4294967296 is too large for one of pids/],
    ];
    for (const [match, message] of tooMuch) {
      assert.throws(() => pack(match), { code: "CONFIG_INVALID", message });
      assert.throws(() => pack({}, { exclude: { ...nothing, ...match } }), { code: "CONFIG_INVALID" });
    }
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
