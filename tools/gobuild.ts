// Builds programs from the Go module proxy, without a checkout of their repositories.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A published module and the main package within it. */
export interface GoProgram {
  readonly module: string;
  /** With its `v`. */
  readonly version: string;
  readonly package: string;
  readonly tags?: string;
}

/**
 * Builds a program of a published module to the file `out`, in the empty folder `scratch`. `go install` rejects
 * modules with replace directives, so a temporary module uses the published go.mod and go.sum, and with them the
 * exact versions of all dependencies.
 */
export function buildPublished(program: GoProgram, scratch: string, out: string): void {
  go(scratch, ["mod", "init", "wirespan.invalid/wrap"]);
  const wanted = `${program.module}@${program.version}`;
  const { Dir: source } = JSON.parse(go(scratch, ["mod", "download", "-json", wanted])) as { Dir: string };
  const published = readFileSync(join(source, "go.mod"), "utf8");
  writeFileSync(join(scratch, "go.mod"), published.replace(/^module .*$/m, "module wirespan.invalid/wrap"));
  copyFileSync(join(source, "go.sum"), join(scratch, "go.sum"));
  go(scratch, ["mod", "edit", `-require=${wanted}`]);
  build(scratch, program.package, out, program.tags);
}

/** Builds the package `name` of the module in `folder` to the file `out`, as one static program. */
export function build(folder: string, name: string, out: string, tags = ""): void {
  const part = `${out}.part`;
  go(folder, ["build", "-mod=mod", "-trimpath", `-tags=${tags}`, "-ldflags=-s -w", "-o", part, name]);
  renameSync(part, out);
}

/** Installs a small tool from the proxy into `folder`. */
export function installTool(name: string, folder: string): void {
  go(folder, ["install", name], { GOBIN: folder });
}

/** Makes `folder` writable by its owner and removes it: Go leaves files read-only. */
export function remove(folder: string): void {
  execFileSync("chmod", ["-R", "u+w", folder]);
  rmSync(folder, { recursive: true });
}

function go(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  return execFileSync("go", args, {
    cwd,
    encoding: "utf8",
    env: {
      ...process.env,
      CGO_ENABLED: "0",
      GOFLAGS: `${process.env.GOFLAGS ?? ""} -buildvcs=false`,
      ...env,
    },
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
}
