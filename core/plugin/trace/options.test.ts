import assert from "node:assert/strict";
import { resolveOperand } from "../../../cli/trace/operands.ts";
import { importPlugins, installedPlugins } from "../../engine/discover.ts";
import { Names } from "../../identity/names/names.ts";
import { WirespanError } from "../errors.ts";
import { longName, sharedOptions } from "./options.ts";

const ALL = [
  "pid",
  "comm",
  "user",
  "local-port",
  "remote-port",
  "address",
  "family",
  "direction",
  "netns",
  "cgroup",
  "container",
  "pod",
  "interface",
  "min-duration",
  "failed",
];

describe("options that all tools share", () => {
  it("are its own, shared, or refused with a reason: never unknown", async () => {
    const { plugins } = await importPlugins(installedPlugins());
    for (const plugin of plugins) {
      const { options, refused } = sharedOptions(plugin);
      const known = [...plugin.trace.options, ...options, ...refused].map(longName);
      for (const name of ALL) assert.ok(known.includes(name), `${plugin.name} --${name}`);
      assert.equal(new Set(known).size, known.length, `${plugin.name}: an option twice`);
      for (const { why } of refused) assert.match(why, /^[a-z-].*[^.]$/i);
    }
  });

  it("filter by what the tool observes, and leave other settings alone", async () => {
    const { plugins } = await importPlugins(["tcplife", "netqtop", "softirqs", "tcpdrop"]);
    const names = Object.fromEntries(
      plugins.map((plugin) => [plugin.name, sharedOptions(plugin).options.map(longName)]),
    );
    assert.deepEqual(names.softirqs, []);
    assert.deepEqual(names.netqtop, ["netns", "interface"]);
    // -p is bcc's, with the same effect.
    assert.deepEqual(
      names.tcplife,
      ALL.filter((name) => name !== "pid" && name !== "interface"),
    );
    assert.ok(names.tcpdrop!.includes("interface"));
  });
});

describe("values of filter options", () => {
  const none = async () => new Names([], { error() {}, warn() {}, info() {}, debug() {} });
  const resolve = (setting: string, flag: string, text: string) => resolveOperand(setting, flag, text, none);
  const refused = async (setting: string, text: string): Promise<string> => {
    try {
      return `no error: ${await resolve(setting, "--x", text)}`;
    } catch (error) {
      assert.ok(error instanceof WirespanError && error.code === "USAGE", String(error));
      return error.message;
    }
  };

  it("are accepted if they exist", async () => {
    assert.equal(await resolve("filter.include.pid", "--pid", `${process.pid}`), `${process.pid}`);
    assert.equal(await resolve("filter.include.uid", "--user", "root,65534"), "0,65534");
    assert.equal(await resolve("filter.include.netns", "--netns", `${process.pid}`), `pid:${process.pid}`);
    assert.equal(await resolve("filter.include.netns", "--netns", "4026531840"), "4026531840");
    assert.equal(await resolve("filter.include.cgroup", "--cgroup", "/a"), "/a");
    assert.equal(await resolve("interfaces", "--interface", "lo"), "lo");
    assert.equal(await resolve("filter.include.localPort", "--local-port", "1-2"), "1-2");
  });

  for (const [setting, text, message] of [
    ["filter.include.pid", "4194399", "--x: there is no process 4194399 on this host."],
    [
      "filter.include.uid",
      "no such user",
      "--x: there is no user no such user on this host; a number is used as it is.",
    ],
    ["filter.include.netns", "nosuch\u0000", /^--x: there is no network namespace nosuch/],
    [
      "filter.include.netns",
      "4194300",
      "--x: there is no process 4194300 on this host, and no network namespace has so small an inode.",
    ],
    [
      "filter.include.cgroup",
      "container:0123456789ab",
      /^--x: no container whose id begins with 0123456789ab has a cgroup below /,
    ],
    [
      "filter.include.cgroup",
      "container:web",
      '--x: a container is named by its id or its first 12 characters or more, not "web".',
    ],
    ["filter.include.cgroup", "pod:shop/web", '--x: a pod is named by its uid, not "shop/web".'],
    [
      "filter.include.cgroup",
      "pod:2c48913c-b29f-11e7-9350-020968147796",
      /^--x: no pod with the uid 2c48913c-b29f-11e7-9350-020968147796 has a cgroup below /,
    ],
    ["interfaces", "lo0", "--x: no network namespace of this host has an interface lo0; did you mean lo?"],
  ] as const) {
    it(`are refused if there is no ${text}`, async () => {
      if (typeof message === "string") assert.equal(await refused(setting, text), message);
      else assert.match(await refused(setting, text), message);
    });
  }
});
