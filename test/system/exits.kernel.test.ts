import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startAgent } from "../support/agent.ts";
import { needsRoot } from "../support/netns.ts";
import { LINKED, root, scratchClone } from "../support/scratch-clone.ts";

/** The content of every file except the new plugin's. */
function contents(clone: string): Record<string, string> {
  const files = globSync("**", { cwd: clone, withFileTypes: true, exclude: LINKED });
  const paths = files.filter((f) => f.isFile()).map((f) => join(f.parentPath, f.name));
  return Object.fromEntries(
    paths
      .filter((path) => !path.startsWith(join(clone, "plugins/exits")))
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}

describe("a plugin that is copied into plugins/", () => {
  let clone: string;
  let others: Record<string, string>;
  const file = (name: string) => join(clone, "plugins/exits", name);
  const make = () =>
    execFileSync("flock", [clone, "make", "-s", "-C", clone, "bpf"], { stdio: ["ignore", "ignore", "pipe"] });
  const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: clone, encoding: "utf8" });

  before(function () {
    needsRoot(this);
    clone = scratchClone();
    make();
    node("tools/btfgen.ts");
    others = contents(clone);
    cpSync(join(root, "test/exits"), join(clone, "plugins/exits"), { recursive: true });
    make();
  });

  after(() => {
    if (clone) rmSync(clone, { recursive: true });
  });

  it("has a reader as btfgen writes it", () => {
    const { status, stderr } = node("tools/btfgen.ts", "--check");
    assert.equal(status, 0, stderr);
  });

  it("is listed, described and configured like every other", () => {
    const main = join(clone, "cli/main.ts");
    assert.match(node(main, "plugins").stdout, /^exits /m);
    assert.match(node(main, "plugins", "exits").stdout, /^event sample\.exit /m);
    assert.match(node(main, "trace", "exits", "--help").stdout, /-t, --threads +threads, too/);
    assert.match(node(main, "config", "print").stdout, /threads: false/);
  });

  it("has a trace command", async () => {
    await using agent = await startAgent(
      ["trace", "exits", "--json", "--signals", "--set", "metrics.interval=1s"],
      {
        main: join(clone, "cli/main.ts"),
      },
    );
    spawnSync("sh", ["-c", "exit 42"]);
    const { pid, signal } = spawnSync("sh", ["-c", "kill -9 $$"]);
    assert.equal(signal, "SIGKILL");
    const { stdout } = await agent.stop();
    const rows = stdout.map((line) => JSON.parse(line) as Record<string, unknown>);
    const exits = rows.filter(({ name }) => name === "sample.exit");
    assert.equal(exits.filter((row) => row["sample.status"] === 42 && row["thread.name"] === "sh").length, 1);
    assert.equal(exits.find((row) => row["process.pid"] === pid)?.["sample.signal"], 9);
    const killed = rows.findLast((row) => row.name === "sample.exits" && row["sample.how"] === "killed");
    assert((killed?.value as number) >= 1);
  });

  it("requires no other change", () => {
    assert.deepEqual(contents(clone), others);
  });

  it("is rejected by --check and at start if its C was changed without its reader", () => {
    const source = readFileSync(file("exits.bpf.c"), "utf8");
    writeFileSync(file("exits.bpf.c"), source.replaceAll("status", "code"));
    make();
    const check = node("tools/btfgen.ts", "--check");
    assert.equal(check.status, 1);
    assert.match(
      check.stderr,
      /^plugins\/exits\/exits\.skel\.ts differs from what plugins\/exits\/exits\.bpf\.o says/m,
    );
    const { status, stderr } = node(join(clone, "cli/main.ts"), "trace", "exits");
    assert.equal(status, 5);
    assert.match(stderr, /exits: .*exits\.bpf\.o \(layout \w+\) and its reader \(layout \w+\) differ/);
  });
});
