import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root, scratchClone } from "../test/support/scratch-clone.ts";
import { skip } from "../test/support/skip.ts";

const FILES = ["wirespan.cjs", "wirespan.cjs.map", "sdk.cjs", "store.cjs"] as const;

const make = (clone: string) => execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: clone });
const wirespan = (clone: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(clone, "dist/wirespan.cjs"), ...args], { encoding: "utf8" });
const bytes = (clone: string) => FILES.map((name) => readFileSync(join(clone, "dist", name)));

describe("the bundle", () => {
  let clone = "";
  before(() => {
    clone = scratchClone();
    make(clone);
  });
  after(() => rmSync(clone, { recursive: true }));

  it("has the same bytes in another folder", () => {
    const other = scratchClone();
    try {
      make(other);
      assert.deepEqual(bytes(other), bytes(clone));
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  it("prints the same as the sources", () => {
    for (const args of [
      ["--version"],
      ["plugins"],
      ["plugins", "tcplife"],
      ["config", "schema"],
      ["--help"],
      ["trace", "--help"],
    ]) {
      const { status, stdout, stderr } = wirespan(clone, ...args);
      const source = spawnSync(process.execPath, [join(clone, "cli/main.ts"), ...args], { encoding: "utf8" });
      assert.deepEqual(
        [status, stdout, stderr],
        [source.status, source.stdout, source.stderr],
        args.join(" "),
      );
    }
  });

  it("reports the source's line for an unexpected error", () => {
    const source = join(clone, "cli/commands/config.ts");
    const text = readFileSync(source, "utf8");
    const lines = text.split("\n");
    const at = lines.findIndex((line) => line.startsWith("export function"));
    writeFileSync(
      source,
      [
        ...lines.slice(0, at + 1),
        "  if (process.argv[2] === 'config') throw new Error('provoked');",
        ...lines.slice(at + 1),
      ].join("\n"),
    );
    try {
      make(clone);
      const { status, stderr } = wirespan(clone, "config", "check");
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`unexpected: provoked \\(cli/commands/config.ts:${at + 2};`));
    } finally {
      writeFileSync(source, text);
      make(clone);
    }
  });

  it("reads a configuration file", () => {
    const file = join(clone, "config/examples/everything.yaml");
    assert.match(
      wirespan(clone, "config", "check", file).stdout + wirespan(clone, "config", "check", file).stderr,
      /./,
    );
    assert.equal(wirespan(clone, "config", "check", file).status, 0);
  });

  it("includes a tool whose folder was added, once it is rebuilt", () => {
    const folder = join(clone, "plugins/another");
    cpSync(join(clone, "plugins/tcpconnect"), folder, { recursive: true });
    const index = join(folder, "index.ts");
    writeFileSync(index, readFileSync(index, "utf8").replace('name: "tcpconnect"', 'name: "another"'));
    try {
      make(clone);
      assert.match(wirespan(clone, "plugins").stdout, /^another /m);
    } finally {
      rmSync(folder, { recursive: true });
    }
    make(clone);
    assert.doesNotMatch(wirespan(clone, "plugins").stdout, /^another /m);
  });

  it("is not created from a source that cannot be loaded, and the existing one is kept", () => {
    const folder = join(clone, "plugins/broken");
    const before = bytes(clone);
    mkdirSync(folder);
    try {
      for (const source of ["export default {", 'throw new Error("at import");']) {
        writeFileSync(join(folder, "index.ts"), source);
        const { status, stderr } = spawnSync(process.execPath, ["tools/bundle.ts"], {
          cwd: clone,
          encoding: "utf8",
        });
        assert.notEqual(status, 0);
        assert.match(stderr, /plugins\/broken|broken/);
        assert.deepEqual(bytes(clone), before);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is rebuilt by setup if a source or the bundle itself has changed, and setup fails if it cannot be built", function () {
    if (!existsSync(join(root, "native/build/wirespan.node"))) skip(this, "nothing is built here");
    const setUp = () => {
      const words = ["tools/setup.sh", process.arch, "bundle"];
      const { status, stderr } = spawnSync("sh", words, { cwd: clone, encoding: "utf8" });
      return `${status} ${stderr}`;
    };
    const said = "0 wirespan: making the bundle\n";
    // The copied folders may be newer than what was built from them.
    assert.match(setUp(), /^0 (.*\n)*wirespan: making the bundle\n$/);
    assert.equal(setUp(), "0 ");
    const source = join(clone, "cli/run.ts");
    const text = readFileSync(source, "utf8");
    writeFileSync(source, text.replace("wirespan: ", "WIRESPAN: "));
    // A file that replaces it may be older.
    utimesSync(source, 0, 0);
    assert.equal(setUp(), said);
    assert.equal(setUp(), "0 ");
    truncateSync(join(clone, "dist/wirespan.cjs"), 100_000);
    assert.equal(setUp(), said);
    writeFileSync(source, "export const run = {");
    for (let i = 0; i < 2; i++)
      assert.match(setUp(), /^2 .*the bundle could not be made; the lines above say why\n$/s);
    writeFileSync(source, text);
    assert.equal(setUp(), said);
  });
});
