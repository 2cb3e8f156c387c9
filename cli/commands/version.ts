// `wirespan --version`
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { release } from "node:os";
import { join } from "node:path";
import { VERSION } from "../../core/base/version.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** The package's version, with git's description of the commit in a clone. */
export function version(): string {
  if (!existsSync(join(ROOT, ".git"))) return VERSION;
  try {
    const git = execFileSync("git", ["-C", ROOT, "describe", "--always", "--dirty", "--tags"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return `${VERSION} (${git.trim()})`;
  } catch {
    return VERSION; // no git, or another user's clone
  }
}

/** The versions in use, by name. */
export function software(): Readonly<Record<string, string>> {
  return { wirespan: version(), libbpf: libbpf(), kernel: release(), Node: process.version };
}

/** Four lines: wirespan, libbpf, kernel, Node. */
export function versions(): string {
  return Object.entries(software())
    .map(([name, version]) => `${name.padEnd(8)} ${version}\n`)
    .join("");
}

function libbpf(): string {
  try {
    // Through require, because the addon may not have been built yet.
    const { native } = createRequire(import.meta.url)(
      "../../native/index.ts",
    ) as typeof import("../../native/index.ts");
    return native.features().libbpf;
  } catch {
    return "not built yet (npm run build)";
  }
}
