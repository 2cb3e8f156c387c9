// Malicious configurations: each is rejected, quickly and in a few lines.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WirespanError } from "../core/plugin/errors.ts";
import { configOf, faultsOf } from "../test/support/config.ts";
import { loadConfig } from "./load.ts";

const many = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");

describe("a hostile configuration", () => {
  const large: Record<string, [yaml: string, first: RegExp]> = {
    "3,000 exporters": [
      `exporters:\n${many(3000, (i) => `  e${i}: {type: console}\n`)}`,
      /^wirespan\.yaml:2: exporters: 3000 exporters are too many; at most 32$/,
    ],
    "16,000 unknown keys": [
      many(16_000, (i) => `key${i}: 1\n`),
      /^wirespan\.yaml:1: key0: unknown key; known: /,
    ],
    "16,000 unknown plugins": [
      `plugins:\n${many(16_000, (i) => `  p${i}: {}\n`)}`,
      /^wirespan\.yaml:2: plugins\.p0: unknown plugin; known: tcplife$/,
    ],
    "60,000 wrong networks": [
      `filter: {include: {localAddress: [${many(60_000, () => "10.0.0.x,")}]}}\n`,
      /localAddress: expected a list, .*, at most 1000 of them, got "60000 items"$/,
    ],
    "a key that is given 50,000 times": [many(50_000, () => "a: 1\n"), /^wirespan\.yaml:1: a: unknown key/],
    "100,000 aliases": [
      `a: &a 1\nb: [${many(100_000, () => "*a,")}]\n`,
      /:2: more than 100 aliases; write some of them out$/,
    ],
    "aliases of aliases": [
      many(40, (i) => (i ? `a${i}: &x${i} [*x${i - 1},*x${i - 1}]\n` : "a0: &x0 [1]\n")),
      /a0: unknown key/,
    ],
    "100,000 lists in each other": [
      `a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      /not valid YAML: it is nested too deeply$/,
    ],
    "20,000 attributes": [
      `resource: {attributes: {${many(20_000, (i) => `a${i}: b,`)}}}`,
      /at most 128 keys, got "20000 keys"$/,
    ],
    "a text of 900 kB": [
      `service: {name: ${"x".repeat(900_000)}}`,
      /service\.name: expected a text, at most 8192 bytes, got "x{200}…"$/,
    ],
    "a key of 900 kB": [`{"${"k".repeat(900_000)}": 1}`, /^wirespan\.yaml:1: k{200}…: unknown key/],
  };
  for (const [what, [yaml, first]] of Object.entries(large)) {
    it(`with ${what} is rejected with at most 21 lines`, () => {
      const faults = faultsOf({ yaml });
      assert.match(faults[0]!, first);
      assert.ok(faults.length <= 21, `${faults.length} lines`);
      assert.ok(faults.join("\n").length < 20_000);
      if (faults.length === 21) assert.match(faults[20]!, /^and \d+ more$/);
    });
  }

  it("takes time in proportion to the number of errors", () => {
    const time = (count: number) => {
      const start = process.cpuUsage();
      faultsOf({ yaml: many(count, (i) => `pluginz${i}: 1\n`) });
      return process.cpuUsage(start).user;
    };
    time(2000);
    const few = time(2000);
    assert.ok(time(16_000) < 8 * 4 * few);
  });

  it("cannot use the names of Object.prototype", () => {
    const yaml = `exporters:
  constructor: {type: console}
  toString: {type: console}
  __proto__: {type: console}
plugins:
  constructor: {enabled: true}
  tcplife: {valueOf: 1, __proto__: 2}
`;
    assert.deepEqual(faultsOf({ yaml }), [
      "wirespan.yaml:2: exporters.constructor: not a valid exporter name; choose another one",
      "wirespan.yaml:3: exporters.toString: not a valid exporter name; choose another one",
      "wirespan.yaml:4: exporters.__proto__: not a valid exporter name; choose another one",
      "wirespan.yaml:6: plugins.constructor: unknown plugin; did you mean tcplife?".replace(
        "did you mean tcplife?",
        "known: tcplife",
      ),
      "wirespan.yaml:7: plugins.tcplife.valueOf: unknown key; known: enabled, longLived, perCpu, top, buffer, label, devices, watched, subnets, unit, filter, ring",
      "wirespan.yaml:7: plugins.tcplife.__proto__: unknown key; known: enabled, longLived, perCpu, top, buffer, label, devices, watched, subnets, unit, filter, ring",
    ]);
    for (const path of [
      "constructor",
      "__proto__.x",
      "exporters.constructor.type",
      "plugins.tcplife.toString",
    ]) {
      const [fault] = faultsOf({ flags: [{ path, value: "1", flag: "--set" }] });
      assert.match(fault!, /^--set: .*: (unknown key|not a valid exporter name)/);
    }
    const config = configOf({ yaml: "resource: {attributes: {__proto__: x, constructor: y}}" });
    assert.deepEqual(Object.entries(config.resource.attributes), [
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
  });

  it("cannot have numbers beyond what their users can store", () => {
    const bounds: readonly (readonly [yaml: string, fault: string])[] = [
      ["metrics: {interval: 700h}", 'metrics.interval: expected a duration of at most 596h, got "700h"'],
      ["shutdown: {timeout: 720h}", 'shutdown.timeout: expected a duration of at most 596h, got "720h"'],
      [
        "filter: {minDuration: 2147483648ms}",
        'filter.minDuration: expected a duration of at most 596h, got "2147483648ms"',
      ],
      [
        "filter: {include: {pid: [8589934592]}}",
        'filter.include.pid: expected a process id of at most 4194304, got "8589934592"',
      ],
      [
        "filter: {include: {uid: [4294967295]}}",
        'filter.include.uid: expected a numeric user id of at most 4294967294, got "4294967295"',
      ],
      [
        "filter: {include: {netns: [4294967296]}}",
        'filter.include.netns: expected an inode number of at most 4294967295, got "4294967296"',
      ],
      [
        "filter: {include: {netns: ['pid:5000000']}}",
        'filter.include.netns: expected pid:NUMBER of at most 4194304, got "5000000"',
      ],
      [
        "plugins: {tcplife: {top: 4294967297}}",
        'plugins.tcplife.top: expected a whole number from 0 to 1000000, got "4294967297"',
      ],
      [
        "plugins: {tcplife: {buffer: 99999GiB}}",
        'plugins.tcplife.buffer: expected a size such as 32MiB, got "99999GiB"',
      ],
      [
        "ring: {bytes: 2GiB}",
        'ring.bytes: expected a size of 4KiB or more that is a power of two, such as 256KiB, got "2GiB"',
      ],
      [
        "metrics: {maxSeries: 99999999999}",
        'metrics.maxSeries: expected a whole number from 1 to 1000000, got "99999999999"',
      ],
      [
        `control: {socket: /${"s".repeat(107)}}`,
        `control.socket: expected a path of at most 107 bytes, or nothing, got "/${"s".repeat(107)}"`,
      ],
    ];
    for (const [yaml, fault] of bounds) assert.deepEqual(faultsOf({ yaml }), [`wirespan.yaml:1: ${fault}`]);
  });

  it("does not pass control characters to a terminal", () => {
    const [fault] = faultsOf({ yaml: '"\\e[2J\\u009b31m": 1' });
    assert.match(fault!, /^wirespan\.yaml:1: ·\[2J·31m: unknown key/);
    const [value] = faultsOf({ env: { WIRESPAN_LOG_LEVEL: "\u001b]0;x\u0007" } });
    assert.equal(
      value,
      'WIRESPAN_LOG_LEVEL: log.level: expected one of debug, info, warn, error, silent, got "·]0;x·"',
    );
  });
});

describe("a path that is not a configuration file", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-config-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  function reasonOf(file: string): string {
    try {
      loadConfig({ file, env: {}, flags: [], plugins: [] });
    } catch (error) {
      assert.ok(error instanceof WirespanError && error.code === "CONFIG_UNREADABLE", String(error));
      return error.message;
    }
    throw new Error("it was read");
  }

  const files: Record<string, [make: (path: string) => unknown, why: string]> = {
    "a pipe": [(path) => execFileSync("mkfifo", [path]), "it is a pipe, not a file"],
    "a folder": [(path) => execFileSync("mkdir", [path]), "it is a folder, not a file"],
    "a device": [(path) => symlinkSync("/dev/zero", path), "it is a device, not a file"],
    "a loop of links": [(path) => symlinkSync(path, path), "it is a loop of links"],
    "a link to nothing": [(path) => symlinkSync("/no/such", path), "there is no such file"],
    "larger than any configuration": [
      (path) => writeFileSync(path, "#".repeat(2 ** 20 + 1)),
      "it is larger than 1048576 bytes",
    ],
    "of /proc, without an end": [
      (path) => symlinkSync("/proc/kallsyms", path),
      "it is larger than 1048576 bytes",
    ],
    binary: [(path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0])), "it is not UTF-8 text"],
  };
  for (const [what, [make, why]] of Object.entries(files)) {
    it(`is rejected without waiting if it is ${what}`, () => {
      const path = join(folder, what.replaceAll(/[^a-z]/g, ""));
      make(path);
      assert.equal(reasonOf(path), `Cannot read the configuration ${path}: ${why}.`);
      const secret = faultsOf({ yaml: `ids: {salt: "file:${path}"}` });
      assert.equal(secret.length, 1);
      const shorter = why.replace("1048576", "65536");
      assert.equal(secret[0], `wirespan.yaml:1: ids.salt: cannot read the file ${path}: ${shorter}`);
    });
  }
});
