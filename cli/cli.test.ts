import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installedPlugins } from "../core/engine/discover.ts";
import { environment } from "../test/support/environment.ts";

const MAIN = join(import.meta.dirname, "main.ts");

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line without the environment of the test run. */
function wirespan(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...environment, ...env },
  });
  return { code: status, out: stdout, err: stderr };
}

describe("command line", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-cli-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  const file = (yaml: string): string => {
    const path = join(folder, "wirespan.yaml");
    writeFileSync(path, yaml);
    return path;
  };

  it("prints the versions of everything that it depends on", () => {
    const { code, out, err } = wirespan(["--version"]);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^wirespan \d+\.\d+\.\d+.*\nlibbpf {3}.+\nkernel {3}\d+\..+\nNode {5}v\d+\..+\n$/);
  });

  for (const command of [
    [],
    ["agent"],
    ["trace"],
    ["trace", "tcplife"],
    ["doctor"],
    ["plugins"],
    ["config"],
    ["config", "check"],
  ]) {
    it(`explains ${["wirespan", ...command].join(" ")}, without colours`, () => {
      const { code, out, err } = wirespan([...command, "--help"]);
      assert.deepEqual([code, err], [0, ""]);
      assert.match(out, /^Usage: wirespan/);
      if (command.join() !== "trace,tcplife" && command.join() !== "config")
        assert.match(out, /\nExamples?:\n {2}\S/);
      assert(!out.includes("\x1b"), "escape sequences in a pipe");
    });
  }

  const misused: readonly [args: string[], says: RegExp][] = [
    [["--confg", "x"], /unknown option '--confg'\n\(Did you mean --config\?\)/],
    [["agnt"], /no command agnt; did you mean agent\?/],
    [["zzzzzzzz"], /no command zzzzzzzz; --help lists them\./],
    [["config", "chek"], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [["trace", "tcplive"], /no plugin called tcplive; did you mean tcplife\?/],
    [["trace", "tcplife", "--jsn"], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [["trace", "tcplife", "--json", "--csv"], /'--json' cannot be used with option '.*--csv'/],
    [
      ["trace", "tcplife", "-L", "70000"],
      /^--localport: plugins\.tcplife\.filter\.include\.localPort: expected a port/m,
    ],
    [["trace", "tcplife", "--duration", "10"], /--duration: expected a duration .*, got "10"/],
    [["trace", "softirqs", "often"], /The interval is in seconds, such as 1 or 0\.5, not "often"/],
    [["trace", "softirqs", "1", "0"], /the count: expected a whole number of at least 1, got "0"/],
    [["plugins", "tcplive"], /no plugin called tcplive; did you mean tcplife\?/],
    [["--plugin", "softirq"], /no plugin called softirq; did you mean softirqs\?/],
    [["--set", "log.level"], /--set requires PATH=VALUE, such as log\.level=debug, not "log\.level"/],
    [["--set", "log.levl=debug"], /^--set: log\.levl: unknown key; did you mean level\?$/m],
    [["--config", "/no/such.yaml"], /\/no\/such\.yaml: there is no such file/],
    [["completion", "tcsh"], /Allowed choices are bash, zsh, fish/],
  ];
  for (const [args, says] of misused) {
    it(`refuses wirespan ${args.join(" ")} with exit code 2, and explains why on standard error only`, () => {
      const { code, out, err } = wirespan(args);
      assert.deepEqual([code, out], [2, ""], err);
      assert.match(err, says);
      assert(!err.includes("    at "), "a stack trace");
    });
  }

  it("checks a configuration", () => {
    const good = wirespan(["config", "check", file("version: 1\nplugins: {softirqs: {enabled: false}}\n")]);
    assert.deepEqual(good.err, "");
    assert.match(good.out, /^The configuration is valid\.\nplugins: .*tcplife.*\nexporters: console\n$/);
    assert(!/softirqs/.test(good.out));
    assert.equal(good.code, 0);

    const path = file("version: 1\nplugins:\n  tcplive: {}\nlog: {level: loud}\n");
    const bad = wirespan(["config", "check", "--config", path], { WIRESPAN_METRIC_INTERVAL: "1s" });
    assert.deepEqual([bad.code, bad.out], [2, ""]);
    assert.equal(
      bad.err,
      `wirespan: The configuration has 3 errors; nothing was started.
${path}:3: plugins.tcplive: unknown plugin; did you mean tcplife?
${path}:4: log.level: expected one of debug, info, warn, error, silent, got "loud"
WIRESPAN_METRIC_INTERVAL: unknown variable; did you mean WIRESPAN_METRICS_INTERVAL?
`,
    );
  });

  it("checks what only an exporter's protocol refuses", () => {
    for (const [exporter, says] of [
      ['type: otlp_http, headers: {"b c": d}', 'exporters.a.headers: "b c" is not a valid HTTP header'],
      [
        "type: otlp_grpc, headers: {te: d}",
        'exporters.a.headers: "te" is not valid gRPC metadata: gRPC reserves it',
      ],
      [
        'type: otlp_grpc, endpoint: "http://x?y=z"',
        "exporters.a.endpoint: a gRPC endpoint cannot have a query",
      ],
    ] as const) {
      const { code, out, err } = wirespan(["config", "check", file(`exporters: {a: {${exporter}}}\n`)]);
      assert.deepEqual([code, out], [2, ""]);
      assert(err.includes(says), err);
    }
  });

  it("prints the configuration with its sources, and no secrets", () => {
    const path = file("ids: {salt: hunter2}\nmetrics: {interval: 5s}\n");
    const { code, out } = wirespan(["config", "print", path, "--set", "log.level=error"], {
      OTEL_SERVICE_NAME: "x",
    });
    assert.equal(code, 0);
    const lines = out.split("\n").map((line) => line.replace(/ +#/, " #"));
    for (const line of [
      `ids.salt: *** # ${path}:1`,
      `metrics.interval: 5s # ${path}:2`,
      "log.level: error # --set",
      "service.name: x # OTEL_SERVICE_NAME",
      "strict: false # default",
    ]) {
      assert(lines.includes(line), `${line}\nis not in\n${out}`);
    }
    assert(!out.includes("hunter2"));
    assert.match(out, /^# softirqs: \S+: at most \d+ series for each resource, by /m);
  });

  it("lists the plugins, and describes one, as text and as JSON", () => {
    const names = installedPlugins();
    const list = wirespan(["plugins"]);
    assert.deepEqual(
      list.out
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
      names,
    );
    const all = JSON.parse(wirespan(["plugins", "--json"]).out) as { name: string }[];
    assert.deepEqual(
      all.map(({ name }) => name),
      names,
    );
    const one = wirespan(["plugins", "softirqs"]);
    assert.match(one.out, /^softirqs: .+\n\nmetric wirespan\.softirq\.\S+ \(\w+, \S+\)\n/);
    assert.equal(JSON.parse(wirespan(["plugins", "softirqs", "--json"]).out).name, "softirqs");
  });

  it("completes commands, options and plugins", () => {
    const words = (...typed: string[]) =>
      wirespan(["complete", "--", ...typed])
        .out.trim()
        .split("\n");
    assert(["agent", "trace", "config", "--config", "--version"].every((word) => words().includes(word)));
    assert.deepEqual(
      words("trace").filter((word) => !word.startsWith("-")),
      installedPlugins(),
    );
    assert(words("trace", "tcplife").includes("--localport"));
    assert.deepEqual(words("agent", "--plugin"), installedPlugins());
    for (const shell of ["bash", "zsh", "fish"])
      assert.match(wirespan(["completion", shell]).out, /wirespan complete --/);
  });

  it("gives bash words that it can complete", () => {
    const script = `wirespan() { "${process.execPath}" "${MAIN}" "$@"; }
source <(wirespan completion bash)
COMP_WORDS=(wirespan trace tcpl) COMP_CWORD=2
_wirespan
echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    assert.deepEqual([stdout, stderr], ["tcplife\n", ""]);
  });

  it("exits silently if its output is closed", async () => {
    const child = spawn(process.execPath, [MAIN, "config", "schema"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let err = "";
    child.stderr.on("data", (text) => {
      err += text;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.deepEqual([code, err], [0, ""]);
  });
});
