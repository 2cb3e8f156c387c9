// The packages for applications, each installed with its language's own tool, without a registry.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allPackages } from "../../test/support/all-packages.ts";
import { skip } from "../../test/support/skip.ts";
import { version } from "./version.ts";

describe("the correlate packages", () => {
  let packages = "";
  let folder = "";
  before(() => {
    packages = allPackages();
    folder = mkdtempSync(join(tmpdir(), "wirespan-correlate-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function at(path: string, text: string): void {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  function run(
    cwd: string,
    env: Readonly<Record<string, string>>,
    program: string,
    ...args: readonly string[]
  ): string {
    const options = { cwd: join(folder, cwd), env: { ...process.env, ...env }, encoding: "utf8" } as const;
    return execFileSync(program, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  }

  it("are installed by npm, and announce the table", () => {
    at("node/package.json", "{}");
    at("node/app.mjs", 'import { status } from "@wirespan/correlate"; console.log(status().announcements);');
    run("node", {}, "npm", "install", "--offline", join(packages, `wirespan-correlate-${version}.tgz`));
    assert.equal(run("node", { NODE_OPTIONS: "" }, process.execPath, "app.mjs"), "1\n");
  });

  it("are installed by pip, and hook into Python as it starts", function () {
    if (spawnSync("python3", ["-m", "pip", "--version"]).status !== 0) skip(this, "no pip on this machine");
    mkdirSync(join(folder, "python"));
    const wheel = join(packages, `wirespan_correlate-${version}-py3-none-any.whl`);
    run("python", {}, "python3", "-m", "venv", "--without-pip", "venv");
    const python = join(folder, "python/venv/bin/python3");
    run(
      "python",
      {},
      "python3",
      "-m",
      "pip",
      "--python",
      python,
      "install",
      "-q",
      "--no-index",
      "--no-deps",
      wheel,
    );
    const look = `import importlib.metadata, sys
print(importlib.metadata.version("wirespan-correlate"), "wirespan_correlate" in sys.modules)`;
    assert.equal(run("python", {}, python, "-c", look), `${version} True\n`);
  });

  it("are found by go in a folder with a proxy's layout", function () {
    if (spawnSync("go", ["version"]).status !== 0) skip(this, "no go on this machine");
    const module = "wirespan.invalid/correlate";
    const zip = join(packages, `wirespan-correlate-go-${version}.zip`);
    at(`proxy/${module}/@v/v${version}.info`, JSON.stringify({ Version: `v${version}` }));
    run(`proxy/${module}/@v`, {}, "cp", zip, `v${version}.zip`);
    const mod = run("proxy", {}, "python3", "-c", UNZIP, zip, `${module}@v${version}/go.mod`);
    at(`proxy/${module}/@v/v${version}.mod`, mod);
    at("go/go.mod", `module app\n\ngo 1.21\n\nrequire ${module} v${version}\n`);
    at(
      "go/main.go",
      `package main\n\nimport "${module}"\n\nfunc main() { _ = correlate.TraceParent; println("built") }\n`,
    );
    const env = {
      GOPROXY: `file://${folder}/proxy`,
      GONOSUMDB: module,
      GOFLAGS: "-mod=mod -modcacherw",
      GOMODCACHE: join(folder, "cache"),
      GOTOOLCHAIN: "local",
      CGO_ENABLED: "0",
    };
    run("go", env, "go", "build", "-o", "app", ".");
    assert.equal(spawnSync(join(folder, "go/app"), { encoding: "utf8" }).stderr, "built\n");
  });
});

const UNZIP = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode(), end='')";
