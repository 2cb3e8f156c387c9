// docs/add-a-plugin.md is followed to the letter: its code is the source of the plugin that is built and run here.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startAgent } from "../support/agent.ts";
import { needsRoot } from "../support/netns.ts";
import { root, scratchClone } from "../support/scratch-clone.ts";

const TOOL = "tcpreset";

/** The files of the guide: each code block that a line with its path precedes. */
function filesOf(guide: string): ReadonlyMap<string, string> {
  const blocks = guide.matchAll(/^`plugins\/tcpreset\/([\w.]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, name, code]) => [name!, code!]));
}

const guide = readFileSync(join(root, "docs/add-a-plugin.md"), "utf8");
const files = filesOf(guide);

describe("the guide to adding a plugin", () => {
  it("adds one in four files of at most 100 lines in total", () => {
    assert.deepEqual([...files.keys()].sort(), ["index.ts", "signals.ts", `${TOOL}.bpf.c`, "trace.ts"]);
    const lines = [...files.values()].reduce((sum, code) => sum + code.split("\n").length - 1, 0);
    assert(lines <= 100, `${lines} lines`);
  });

  describe("when followed in a clone", () => {
    let clone: string;
    const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: clone, encoding: "utf8" });

    before(function () {
      needsRoot(this);
      clone = scratchClone();
      const folder = join(clone, "plugins", TOOL);
      mkdirSync(folder);
      for (const [name, code] of files) writeFileSync(join(folder, name), code);
      const mapper = /^```ts\n(const rig = new Rig[\s\S]*?)^```$/m.exec(guide)?.[1];
      assert(mapper, "the guide has a test of the mapping");
      writeFileSync(
        join(folder, "mapper.test.ts"),
        `import assert from "node:assert/strict";\nimport { Rig } from "../../test/support/rig.ts";\n` +
          `import tcpreset from "./index.ts";\n\nit("maps", () => {\n${mapper}});\n`,
      );
      execFileSync("make", ["-s", "-C", clone, "bpf"], { stdio: ["ignore", "ignore", "pipe"] });
      const generated = node("tools/btfgen.ts");
      assert.equal(generated.status, 0, generated.stderr);
    });

    after(() => {
      if (clone) rmSync(clone, { recursive: true });
    });

    it("compiles, and its imports are those of a plugin", () => {
      const { status, stdout } = node("node_modules/typescript/bin/tsc", "--noEmit", "-p", ".");
      assert.equal(status, 0, stdout);
      const imports = node("tools/imports.ts");
      assert.equal(imports.status, 0, imports.stdout + imports.stderr);
    });

    it("passes the guide's test of the mapping", () => {
      const { status, stdout } = node("node_modules/mocha/bin/mocha.js", `plugins/${TOOL}/mapper.test.ts`);
      assert.equal(status, 0, stdout);
    });

    it("reports each refused connection's reset once, with its owner and addresses", async () => {
      await using agent = await startAgent(["trace", TOOL, "--json", "--remote-port", "9"], {
        main: join(clone, "cli/main.ts"),
      });
      const script = "import socket\nfor _ in range(5): socket.socket().connect_ex(('127.0.0.1', 9))";
      const { pid, status } = spawnSync("python3", ["-c", script]);
      assert.equal(status, 0);
      const { stdout } = await agent.stop();
      const rows = stdout.map((line) => JSON.parse(line) as Record<string, unknown>);
      assert.deepEqual(
        rows.map((row) => [
          row.name,
          row["process.pid"],
          row["network.peer.address"],
          row["network.peer.port"],
        ]),
        Array.from({ length: 5 }, () => ["wirespan.tcp.reset", pid, "127.0.0.1", 9]),
      );
    });
  });
});
