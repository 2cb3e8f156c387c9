// Builds BPF objects of tests like the project's own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

function make(target: string): Buffer {
  // Other tests may build the same one.
  execFileSync("flock", [root, "make", "-s", "-C", root, target], { stdio: ["ignore", "ignore", "pipe"] });
  return readFileSync(join(target.startsWith("/") ? "" : root, target));
}

/** test/bpf/<name>.bpf.c, built if it is out of date; returns the object's bytes. */
export function built(name: string): Buffer {
  return make(`test/bpf/${name}.bpf.o`);
}

/** Builds C source text; throws the compiler's output. */
export function compiled(source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-bpf-"));
  try {
    writeFileSync(join(folder, "source.bpf.c"), source);
    return make(join(folder, "source.bpf.o"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
