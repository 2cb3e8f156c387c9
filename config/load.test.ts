import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WirespanError } from "../core/plugin/errors.ts";
import { plugin } from "../core/plugin/plugin.ts";
import { configOf, effectOf, faultsOf, sample } from "../test/support/config.ts";
import { loadConfig, readConfigFile, wantedPlugins } from "./load.ts";

const setFlag = (path: string, value: string) => ({ path, value, flag: "--set" });

describe("configuration", () => {
  it("is complete without any source", () => {
    const config = configOf({});
    assert.deepEqual(config.ring, { core: 8 * 1024 ** 2, bytes: 256 * 1024, drainInterval: 50 });
    assert.deepEqual(config.metrics, { interval: 10_000, maxSeries: 2000 });
    assert.deepEqual(config.exporters, {
      console: { type: "console", signals: ["traces", "metrics", "logs"], format: "auto", rate: 20 },
    });
    assert.equal(config.plugins.tcplife?.enabled, true);
    assert.equal(config.plugins.tcplife?.ring.bytes, 256 * 1024);
    assert.equal(config.version, 1);
  });

  it("gives a plugin the settings that it declared, in its own units", () => {
    const yaml = `
version: 1
plugins:
  tcplife:
    longLived: 1.5s
    perCpu: true
    top: 7
    buffer: 32MiB
    label: 0755
    devices: [eth0, 12]
    watched: [22, 8000-8999]
    subnets: 10.0.0.0/8
    unit: packets
    ring: {bytes: 1MiB}
`;
    const { settings, ring } = configOf({ yaml }).plugins.tcplife!;
    assert.deepEqual(settings, {
      longLived: 1500,
      perCpu: true,
      top: 7,
      buffer: 32 * 1024 ** 2,
      label: "0755",
      devices: ["eth0", "12"],
      watched: ["22", "8000-8999"],
      subnets: ["10.0.0.0/8"],
      unit: "packets",
    });
    assert.equal(ring.bytes, 1024 ** 2);
  });

  it("reads the buckets of explicit histograms as durations, and returns them in seconds", () => {
    const yaml =
      "exporters: {a: {type: otlp_http, histograms: explicit, boundaries: [300us, 7ms, 0.1s, 1m]}}";
    const { a } = configOf({ yaml }).exporters;
    assert(a?.type === "otlp_http");
    assert.deepEqual(a.boundaries, [0.0003, 0.007, 0.1, 60]);
    assert.equal(a.histograms, "explicit");
  });

  it("takes flags before environment, environment before file, file before default", () => {
    const path = "plugins.tcplife.filter.minDuration";
    const yaml = "plugins: {tcplife: {filter: {minDuration: 1ms}}}";
    const env = { WIRESPAN_PLUGINS_TCPLIFE_FILTER_MIN_DURATION: "2ms" };
    const flags = [setFlag(path, "3ms")];
    const effects = [{}, { yaml }, { yaml, env }, { yaml, env, flags }].map((given) =>
      effectOf(configOf(given), path),
    );
    assert.deepEqual(effects, [
      { shown: "0ms", from: [] },
      { shown: "1ms", from: ["wirespan.yaml:1"] },
      { shown: "2ms", from: ["WIRESPAN_PLUGINS_TCPLIFE_FILTER_MIN_DURATION"] },
      { shown: "3ms", from: ["--set"] },
    ]);
    assert.equal(configOf({ yaml, env, flags }).plugins.tcplife?.filter.minDuration, 3);
  });

  it("ignores the variables of applications that share the agent's environment", () => {
    const env = { WIRESPAN_CORRELATE: "off", WIRESPAN_CORRELATE_WRITES: "1" };
    assert.deepEqual(configOf({ env }), configOf({}));
  });

  it("cannot be changed", () => {
    const config = configOf({}) as unknown as { plugins: Record<string, { settings: { top: number } }> };
    assert.throws(() => {
      config.plugins.tcplife!.settings.top = 1;
    }, TypeError);
    assert.throws(() => {
      config.plugins.other = { settings: { top: 1 } };
    }, TypeError);
  });

  it("reports all errors at once, each with its line", () => {
    const yaml = `version: 2
plugins:
  tcplif: {}
  tcplife:
    long_lived: 10s
    filter:
      minDuration: 10
      include: {pid: [1, x], localPort: 70000, remoteAddress: 10.0.0.0/33}
    ring: {bytes: 3KiB}
log: {level: loud}
`;
    assert.deepEqual(
      faultsOf({ yaml, env: { WIRESPAN_LOG_LEVL: "debug" }, flags: [setFlag("metrics", "1s")] }),
      [
        'wirespan.yaml:1: version: expected 1 (this wirespan supports no other version of the configuration), got "2"',
        "wirespan.yaml:3: plugins.tcplif: unknown plugin; did you mean tcplife?",
        "wirespan.yaml:5: plugins.tcplife.long_lived: unknown key; did you mean longLived?",
        'wirespan.yaml:7: plugins.tcplife.filter.minDuration: expected a duration such as 500ms, 10s or 5m, got "10"',
        'wirespan.yaml:8: plugins.tcplife.filter.include.pid: expected a process id, got "x"',
        'wirespan.yaml:8: plugins.tcplife.filter.include.localPort: expected a port or a range of ports (22, 8000-8999), got "70000"',
        'wirespan.yaml:8: plugins.tcplife.filter.include.remoteAddress: expected an address or a CIDR (10.0.0.0/8, fd00::/8), got "10.0.0.0/33"',
        'wirespan.yaml:9: plugins.tcplife.ring.bytes: expected a size of 4KiB or more that is a power of two, such as 256KiB, got "3KiB"',
        'wirespan.yaml:10: log.level: expected one of debug, info, warn, error, silent, got "loud"',
        "WIRESPAN_LOG_LEVL: unknown variable; did you mean WIRESPAN_LOG_LEVEL?",
        "--set: metrics: a value belongs to one of its keys: interval, maxSeries",
      ],
    );
  });

  const wrong: readonly [what: string, yaml: string, fault: RegExp][] = [
    [
      "a key of a section further down",
      "plugins: {tcplife: {minDuraton: 1s}}",
      /did you mean filter\.minDuration\?$/,
    ],
    ["a key like no other", "plugins: {tcplife: {zzzzzzzz: 1s}}", /unknown key; known: enabled, longLived,/],
    ["a key twice", "log: {level: info}\nlog: {format: json}", /:2: log: duplicate key$/],
    ["a key twice, deep inside", "log:\n  level: info\n  level: info", /:3: log\.level: duplicate key$/],
    [
      "a header twice",
      "exporters: {a: {type: otlp_grpc, headers: {b: c, b: d}}}",
      /headers\.b: duplicate key$/,
    ],
    ["a list where keys belong", "plugins: [tcplife]", /:1: plugins: expected keys \(tcplife\) with values$/],
    ["a scalar where keys belong", "plugins: tcplife", /:1: plugins: expected keys/],
    ["a map where a value belongs", "strict: {a: 1}", /strict: expected true or false, got a map$/],
    ["a list where one value belongs", "strict: [true]", /strict: expected true or false, got a list$/],
    ["a list of lists", "connections: {peers: [[10.0.0.1]]}", /peers: expected a list, .*, got a list$/],
    ["no value", "log:\n  level:\n", /:2: log\.level: expected one of .*, got nothing$/],
    ["a key that is no text", "? [a]\n: b", /a key must be a text$/],
    ["the top being no map", "- a", /:1: expected keys \(version,/],
    [
      "an exporter without a type",
      "exporters:\n  a: {}",
      /:2: exporters\.a\.type: missing; one of otlp_grpc,/,
    ],
    [
      "a type that does not exist",
      "exporters: {a: {type: otlp}}",
      /type: expected one of otlp_grpc,.* got "otlp"$/,
    ],
    [
      "another type's setting",
      "exporters: {a: {type: console, timeout: 1s}}",
      /timeout: unknown key; known: type, /,
    ],
    [
      "an endpoint without a port",
      "exporters: {a: {type: otlp_grpc, endpoint: host}}",
      /endpoint: expected http:/,
    ],
    [
      "an endpoint that is no URL",
      "exporters: {a: {type: otlp_http, endpoint: 'h:1'}}",
      /endpoint: expected a URL/,
    ],
    [
      "a queue smaller than a request",
      "exporters: {a: {type: otlp_grpc, queue: {bytes: 1000kB}}}",
      /a\.queue\.bytes: expected a size of at least 1MiB, .*, got "1000kB"/,
    ],
    [
      "buckets that do not rise",
      "exporters: {a: {type: otlp_grpc, boundaries: [1s, 1s]}}",
      /a\.boundaries: expected a list, .*, each greater than the one before, got "1s,1s"/,
    ],
    ["JSON over gRPC", "exporters: {a: {type: otlp_grpc, encoding: json}}", /exporters\.a\.encoding: /],
    ["a name that is no name", "exporters: {a.b: {type: console}}", /an exporter's name is made of letters/],
    [
      "a file that is not there",
      "exporters: {a: {type: otlp_grpc, tls: {ca: /no/ca}}}",
      /readable file, got "\/no\/ca"$/,
    ],
    [
      "a signal that does not exist",
      "exporters: {a: {type: console, signals: [spans]}}",
      /signals: expected one of/,
    ],
    ["a comm longer than the kernel's", `filter: {include: {comm: [${"c".repeat(16)}]}}`, /at most 15 bytes/],
    [
      "a mapping of names without a criterion",
      "identity: {names: ['-> shop']}",
      /:1: identity\.names: expected at least one criterion \(executable, .*\) before "->", got "-> shop"/,
    ],
    [
      "more of a kind than the kernel side holds",
      `filter: {exclude: {localAddress: [${"::1, ".repeat(17)}]}}`,
      /:1: filter\.exclude\.localAddress: expected a list, .*, at most 16 of them, got/,
    ],
    ["a port above 65535", "health: {address: 127.0.0.1:65536}", /health\.address: expected host:port/],
    ["a boolean in other words", "strict: yes", /strict: expected true or false, got "yes"$/],
    [
      "a drain interval of nothing",
      "ring: {drainInterval: 0}",
      /drainInterval: expected a duration of at least 1ms/,
    ],
    ["a tag", "strict: !secret x", /:1:\d+: not valid YAML/],
    ["bad YAML", "log:\n  level: [a\n", /wirespan\.yaml:3:1: not valid YAML: /],
    ["two documents", "version: 1\n---\nversion: 1\n", /:2:\d+: not valid YAML: .*multiple documents/],
    ["a merge key", "filter: {include: {<<: {pid: [1]}}}", /<<: unknown key/],
    ["an alias of nothing", "strict: *nothing", /:1: alias \*nothing is undefined/],
    ["a prototype's key", "plugins: {tcplife: {constructor: 1}}", /constructor: unknown key/],
    ["the key __proto__", "__proto__: {strict: true}", /__proto__: unknown key/],
  ];
  for (const [what, yaml, fault] of wrong) {
    it(`refuses ${what}`, () => {
      const faults = faultsOf({ yaml });
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0]!, fault);
    });
  }

  it("accepts an empty file, empty sections and aliases", () => {
    assert.deepEqual(configOf({ yaml: "" }).filter, configOf({}).filter);
    const config = configOf({ yaml: "log:\nfilter:\n  include: &these {pid: [1]}\n  exclude: *these\n" });
    assert.deepEqual(config.filter.exclude.pid, ["1"]);
  });

  it("reports which file cannot be read, and why", () => {
    const unreadable = (file: string) => {
      return (error: unknown) =>
        error instanceof WirespanError && error.code === "CONFIG_UNREADABLE" && error.message.includes(file);
    };
    const sources = { env: {}, flags: [], plugins: [] };
    assert.throws(
      () => loadConfig({ ...sources, file: "/no/such.yaml" }),
      unreadable("/no/such.yaml: there is no such file"),
    );
    assert.throws(() => loadConfig({ ...sources, file: tmpdir() }), unreadable("it is a folder"));
  });

  it("does not check the settings of plugins that were not imported", () => {
    const given = { others: ["softirqs"], env: { WIRESPAN_PLUGINS_SOFTIRQS_PER_CPU: "true" } };
    const config = configOf({ ...given, yaml: "plugins: {softirqs: {enabled: false, perCpu: 3}}" });
    assert.deepEqual(Object.keys(config.plugins), ["tcplife"]);
  });

  it("requires no import of a plugin that it only disables", () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-config-"));
    const file = join(folder, "wirespan.yaml");
    writeFileSync(file, "plugins: {a: {enabled: false}, b: {enabled: false, top: 1}, c: {}}");
    const env = { WIRESPAN_PLUGINS_D_ENABLED: "false" };
    const flags = [setFlag("plugins.e.enabled", "false")];
    const wanted = wantedPlugins(["a", "b", "c", "d", "e", "f"], {
      file: readConfigFile(file),
      env,
      flags,
    });
    rmSync(folder, { recursive: true });
    assert.deepEqual(wanted, ["b", "c", "f"]);
  });

  it("refuses a plugin with an invalid default, or a setting with a reserved name", () => {
    const invalid = (config: object) => {
      const broken = plugin({ ...sample, config: config as typeof sample.config });
      assert.throws(
        () => loadConfig({ env: {}, flags: [], plugins: [broken] }),
        (error) => error instanceof WirespanError && error.code === "PLUGIN_INVALID",
      );
    };
    invalid({ top: { doc: "", format: "count", default: -1 } });
    invalid({ top: { doc: "", format: "ports", default: ["x"] } });
    invalid({ filter: { doc: "", format: "count", default: 1 } });
    invalid({ "two words": { doc: "", format: "count", default: 1 } });
  });

  it("requires a token for a page that other hosts reach", () => {
    const load = (yaml: string) => configOf({ yaml });
    for (const address of ["0.0.0.0:4380", ":4380", "10.0.0.1:80", "[::]:4380"]) {
      const [fault = ""] = faultsOf({ yaml: `viewer: {address: "${address}"}` });
      assert.match(fault, /viewer\.address: .* can be reached by other hosts, which requires viewer\.token/);
    }
    assert.equal(
      load('viewer: {address: ":4380", token: "0123456789abcdef0123456789"}').viewer.address,
      ":4380",
    );
    for (const address of ["127.0.0.1:1", "[::1]:1", "localhost:1"])
      assert.equal(load(`viewer: {address: "${address}"}`).viewer.address, address);
  });

  it("accepts true and false for a section that can be enabled", () => {
    const config = configOf({ yaml: "viewer: false\ncorrelate: false" });
    assert.deepEqual([config.viewer.enabled, config.correlate.enabled], ["false", false]);
    assert.match(faultsOf({ yaml: "viewer: maybe" })[0] ?? "", /viewer\.enabled/);
  });
});
