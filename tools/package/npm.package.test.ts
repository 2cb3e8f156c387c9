// The npm packages on systems that have their minimum and Node: no compiler, no libbpf, no registry.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DoctorReport } from "../../agent/doctor.ts";
import type { Status } from "../../agent/status.ts";
import { installedPlugins } from "../../core/engine/discover.ts";
import { startAgent } from "../../test/support/agent.ts";
import { allPackages } from "../../test/support/all-packages.ts";
import { type BareSystem, debian, musl } from "../../test/support/bare.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { installLines } from "../../test/support/readme.ts";
import { until } from "../../test/support/until.ts";
import { run } from "../../test/support/workload.ts";
import { version } from "./version.ts";

const NODE = dirname(process.execPath);
const INSTALLED = "/usr/local/lib/node_modules";
/** The command's link; a module's path, so that it can also be passed to Node. */
const COMMAND = "/usr/local/bin/wirespan";

/** Runs a command in the root $1, with Node from the folder $2, and the folders up to `--` mounted read-only. */
const ENTER = `root=$1; node=$2; shift 2
for each in proc sys dev; do mount --rbind "/$each" "$root/$each"; done
mkdir -p "$root${NODE}"; mount -o bind,ro "$node" "$root${NODE}"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"; mount -o rbind,ro "$1" "$root$1"; shift
done
shift
exec env -i HOME=/tmp PATH="${NODE}:/usr/local/bin:/usr/bin:/bin:/usr/sbin" chroot "$root" "$@"`;

/** npm's folder, however it was installed. */
function npmFolder(): string {
  const folders = (process.env.PATH ?? "").split(":");
  for (const folder of folders) {
    try {
      return dirname(dirname(realpathSync(join(folder, "npm"))));
    } catch {}
  }
  throw new Error("no npm on PATH");
}

const systems: Readonly<Record<string, (context: Mocha.Context) => Promise<BareSystem>>> = {
  "Debian 12": (context) => debian(context, "bookworm"),
  "Debian 13": (context) => debian(context, "trixie"),
  musl,
};

for (const [name, make] of Object.entries(systems)) {
  describe(`the npm packages on ${name}`, () => {
    let root: BareSystem | undefined;
    let binary = "";
    let enter: readonly string[] = [];
    let command: readonly string[] = [];

    before(async function () {
      needsRoot(this);
      const packages = allPackages();
      const npm = npmFolder();
      root = await make(this);
      binary = `wirespan-linux-${process.arch}${root.libc === "musl" ? "-musl" : ""}`;
      // Without a shell there is no env, which the command's first line needs.
      command = root.libc === "musl" ? ["node", COMMAND] : ["wirespan"];
      const folders = [root.node, npm, packages, "/run/netns"];
      enter = ["unshare", "--mount", "sh", "-ec", ENTER, "enter", root.path, ...folders, "--"];
      const cli = join(npm, "bin/npm-cli.js");
      if (root.libc === "musl") {
        const files = ["wirespan", binary].map((name) => join(packages, `${name}-${version}.tgz`));
        inside("node", cli, "install", "--global", "--offline", "--prefix", "/usr/local", ...files);
      } else {
        const lines = installLines("npm")
          .replaceAll("dist/packages", packages)
          .replaceAll("x64", process.arch);
        const said = inside(
          "sh",
          "-ec",
          `export npm_config_prefix=/usr/local; npm() { node ${cli} "$@"; }; ${lines}`,
        );
        assert.match(said, /^Plugins$/m);
      }
    });
    after(() => root?.[Symbol.dispose]());

    function inside(...words: readonly string[]): string {
      const [program = "", ...rest] = [...enter, ...words];
      return execFileSync(program, rest, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    }

    it("need no compiler and no library of libbpf", () => {
      const found = globSync(
        ["{usr/,}bin/{cc,c++,gcc,clang,make}", "{usr/,}lib/{*/,}libbpf*", "{usr/,}lib/{*/,}libelf*"],
        { cwd: root!.path },
      );
      assert.deepEqual(found, []);
    });

    it("run nothing when they are installed, contact no registry, and use at most 20 MB", () => {
      for (const name of ["wirespan", binary]) {
        const file = join(root!.path, INSTALLED, name, "package.json");
        const manifest = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
        const { scripts, dependencies, optionalDependencies, engines } = manifest;
        assert.deepEqual(
          [scripts, dependencies, optionalDependencies],
          [undefined, undefined, undefined],
          name,
        );
        assert.deepEqual(engines, { node: ">=24" }, name);
      }
      const kib = Number(
        execFileSync("du", ["-sk", join(root!.path, INSTALLED)], { encoding: "utf8" }).split("\t")[0],
      );
      assert.ok(kib < 20_000, `${kib} KiB`);
    });

    it("provide a command that reports every plugin as able to run", () => {
      const report = JSON.parse(inside(...command, "doctor", "--json")) as DoctorReport;
      const running = report.plugins.filter(({ state }) => state === "running").map(({ name }) => name);
      assert.deepEqual(running.sort(), ["connections", ...installedPlugins()].sort());
    });

    it("provide a command that traces both ends of each of three connections", async () => {
      await using netns = await Netns.create();
      await using agent = await startAgent(["trace", "tcplife", "--json", "--netns", netns.name], {
        main: COMMAND,
        through: enter,
      });
      await run(netns, "clientCloses", { count: 3, delay: 0 });
      await agent.until((rows) => rows.length >= 6);
      const { code, stdout } = await agent.stop();
      assert.deepEqual([code, stdout.length], [0, 6]);
    });

    it("provide an agent that runs every plugin, and responds", async () => {
      await using agent = await startAgent(["--set", "viewer.enabled=false"], {
        main: COMMAND,
        through: enter,
      });
      const status = JSON.parse(inside(...command, "status", "--json")) as Status;
      assert.equal(status.version, version);
      assert.deepEqual(
        status.plugins.filter(({ state }) => state !== "running"),
        [],
      );
      for (const name of installedPlugins())
        assert.ok(
          status.plugins.some((plugin) => plugin.name === name),
          name,
        );
      assert.equal((await agent.stop()).code, 0);
    });

    it("keep the code that a start has compiled, in the cache of a user who has an entry", async () => {
      const kept = join(root!.path, "root/.cache/wirespan/wirespan.code");
      rmSync(kept, { force: true });
      await using agent = await startAgent(["--set", "viewer.enabled=false"], {
        main: COMMAND,
        through: enter,
      });
      if (root!.libc === "glibc") await until("kept code", () => existsSync(kept) || undefined);
      assert.equal((await agent.stop()).code, 0);
    });

    it("report what is missing: a newer Node, or the package for the processor", () => {
      const fails = (...words: readonly string[]) => {
        const [program = "", ...rest] = [...enter, "node", ...words, COMMAND, "--version"];
        const { status, stderr } = spawnSync(program, rest, { encoding: "utf8" });
        assert.equal(status, 2);
        return stderr;
      };
      const old = 'Object.defineProperty(process.versions, "node", { value: "18.19.0" });\n';
      writeFileSync(join(root!.path, "old.cjs"), old);
      const aged = fails("--require", "/old.cjs");
      assert.equal(aged, "wirespan: Node 18.19.0 is too old: wirespan requires Node 24 or later.\n");
      rmSync(join(root!.path, INSTALLED, binary), { recursive: true });
      assert.match(
        fails(),
        /^wirespan: the package wirespan-linux-\w+ is not installed, nor .*-musl; install .*\n$/,
      );
    });
  });
}
