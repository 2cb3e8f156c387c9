// The npm packages, installed where nothing else of the project is: no compiler, no clone, Node alone on the PATH.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { DoctorReport } from "../../agent/doctor.ts";
import { installedPlugins } from "../../core/engine/discover.ts";
import packageJson from "../../package.json" with { type: "json" };
import { startAgent } from "../../test/support/agent.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { scratchClone } from "../../test/support/scratch-clone.ts";
import { build, run } from "../../test/support/workload.ts";

const { version } = packageJson;
const BINARY = `wirespan-linux-${process.arch}`;
const PACKAGES = ["wirespan", BINARY].map((name) => `${name}-${version}.tgz`);

/** Digests of the packages that a copy of the project makes, by their names. */
function makePackages(clone: string): Record<string, string> {
  execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: clone });
  execFileSync(process.execPath, ["tools/package/main.ts"], {
    cwd: clone,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return Object.fromEntries(
    globSync(join(clone, "dist/packages/*")).map((file) => {
      return [basename(file), createHash("sha256").update(readFileSync(file)).digest("hex")];
    }),
  );
}

describe("the npm packages", function () {
  this.timeout(180_000);
  const clones: string[] = [];
  let folder = "";
  let path = "";
  let command = "";
  let digests: Record<string, string> = {};

  before(async function () {
    needsRoot(this);
    await build();
    clones.push(scratchClone());
    digests = makePackages(clones[0]!);
    folder = mkdtempSync(join(tmpdir(), "wirespan-installed-"));
    path = join(folder, "bin");
    mkdirSync(path);
    symlinkSync(process.execPath, join(path, "node"));
    const files = PACKAGES.map((name) => join(clones[0]!, "dist/packages", name));
    execFileSync("npm", ["install", "--global", "--offline", "--prefix", folder, ...files], {
      stdio: "pipe",
    });
    command = join(path, "wirespan");
  });
  after(() => {
    for (const made of [...clones, folder]) if (made) rmSync(made, { recursive: true });
  });

  it("are the same bytes, whatever folder they are made in", () => {
    clones.push(scratchClone());
    for (const name of PACKAGES) assert.ok(digests[name], name);
    assert.deepEqual(makePackages(clones[1]!), digests);
  });

  it("run nothing when they are installed, and bring all that they need", () => {
    for (const name of ["wirespan", BINARY]) {
      const file = join(folder, "lib/node_modules", name, "package.json");
      const manifest = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      const { scripts, dependencies, optionalDependencies } = manifest;
      assert.deepEqual(
        [scripts, dependencies, optionalDependencies],
        [undefined, undefined, undefined],
        name,
      );
    }
  });

  it("give a command that runs every plugin", () => {
    const { stdout, stderr, status } = spawnSync(command, ["doctor", "--json"], {
      cwd: "/",
      env: { PATH: path },
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as DoctorReport;
    const running = report.plugins.filter(({ state }) => state === "running").map(({ name }) => name);
    assert.deepEqual(running.sort(), ["connections", ...installedPlugins()].sort());
  });

  it("give a command that traces: both ends of each of three connections", async () => {
    await using netns = await Netns.create();
    await using agent = await startAgent(["trace", "tcplife", "--json", "--netns", netns.name], {
      main: command,
      through: ["env", "-i", `PATH=${path}`],
    });
    await run(netns, "clientCloses", { count: 3, delay: 0 });
    await agent.until((rows) => rows.length >= 6);
    const { code, stdout } = await agent.stop();
    assert.deepEqual([code, stdout.length], [0, 6]);
  });

  it("say what is missing: a newer Node, or the package of the processor", () => {
    const launcher = join(folder, "lib/node_modules/wirespan/bin/wirespan.cjs");
    const old = join(folder, "old.cjs");
    writeFileSync(old, 'Object.defineProperty(process.versions, "node", { value: "18.19.0" });\n');
    const aged = spawnSync(process.execPath, ["--require", old, launcher, "--version"], { encoding: "utf8" });
    const complaint = "wirespan: Node 18.19.0 is too old: wirespan requires Node 24 or later.\n";
    assert.deepEqual([aged.status, aged.stderr], [2, complaint]);
    rmSync(join(folder, "lib/node_modules", BINARY), { recursive: true });
    const bare = spawnSync(process.execPath, [launcher, "--version"], { encoding: "utf8" });
    assert.equal(bare.status, 2);
    assert.match(
      bare.stderr,
      new RegExp(`^wirespan: the package ${BINARY} is not installed; install .*\\n$`),
    );
  });
});
