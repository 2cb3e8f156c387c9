import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { skip } from "../../../test/support/skip.ts";
import { versions } from "./nodes.ts";

const folder = join(import.meta.dirname, "..");

describe("correlate/node: the package", () => {
  let installed = "";
  before(function () {
    try {
      execFileSync("npm", ["--version"], { stdio: "ignore" });
    } catch {
      skip(this, "no npm on PATH");
    }
    installed = mkdtempSync(join(tmpdir(), "wirespan-package-"));
    const pack = ["pack", "--silent", "--pack-destination", installed, folder];
    const tarball = execFileSync("npm", pack, { encoding: "utf8" }).trim();
    const to = join(installed, "node_modules/@wirespan/correlate");
    mkdirSync(to, { recursive: true });
    execFileSync("tar", ["xzf", join(installed, tarball), "-C", to, "--strip-components=1"]);
  });
  after(() => rmSync(installed, { recursive: true, force: true }));

  it("has no dependencies, and contains all that it needs", () => {
    const { dependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    assert.equal(dependencies, undefined);
    assert.equal(peerDependenciesMeta["@opentelemetry/api"].optional, true);
    for (const file of ["register.js", "register.d.ts", "README.md", "src/table.js"]) {
      assert.ok(existsSync(join(installed, "node_modules/@wirespan/correlate", file)), file);
    }
    assert.ok(!existsSync(join(installed, "node_modules/@wirespan/correlate/test")));
  });

  for (const { major, program, missing } of versions) {
    it(`Node ${major}: loads by its name, announces its table, and lets the process end`, function () {
      if (!program) skip(this, missing);
      writeFileSync(
        join(installed, "app.mjs"),
        'import { setContext, status } from "@wirespan/correlate"; const { enabled, announcements } = status(); console.log(JSON.stringify({ enabled, announcements, setContext: typeof setContext }));',
      );
      const look = (env: NodeJS.ProcessEnv) =>
        JSON.parse(
          execFileSync(program, ["--import=@wirespan/correlate", "app.mjs"], {
            cwd: installed,
            env: { ...process.env, NODE_OPTIONS: "", ...env },
            encoding: "utf8",
          }),
        );
      assert.deepEqual(look({}), { enabled: true, announcements: 1, setContext: "function" });
      const off = { enabled: false, announcements: 0, setContext: "function" };
      assert.deepEqual(look({ WIRESPAN_CORRELATE: "off" }), off);
    });
  }
});
