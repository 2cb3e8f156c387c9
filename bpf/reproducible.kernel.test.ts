import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OBJECTS = ["bpf/tracker/tracker.bpf.o", "plugins/tcplife/tcplife.bpf.o"];

describe("BPF objects", () => {
  it("are identical, whichever folder they are built in", () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-objects-"));
    try {
      const [one, other] = ["one", "a/folder-with-another-name"].map((name) => {
        const clone = join(folder, name);
        for (const part of ["Makefile", "bpf", "plugins"]) {
          cpSync(join(ROOT, part), join(clone, part), {
            recursive: true,
            filter: (path) => !/\.bpf\.o(\.d|\.part)?$/.test(path),
          });
        }
        execFileSync("make", ["-C", clone, ...OBJECTS], { stdio: ["ignore", "ignore", "inherit"] });
        return OBJECTS.map((object) =>
          createHash("sha256")
            .update(readFileSync(join(clone, object)))
            .digest("hex"),
        );
      });
      assert.deepEqual(one, other);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
