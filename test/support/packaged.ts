// The packages for Linux distributions that `npm run package` makes, and packages of a later version.
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Arch } from "../../tools/package/fetched.ts";
import { linuxPackages } from "../../tools/package/linux.ts";

/** The processor as it appears in file names. */
const NAMES = {
  deb: { x64: "_amd64.deb", arm64: "_arm64.deb" },
  rpm: { x64: ".x86_64.rpm", arm64: ".aarch64.rpm" },
} as const;

/** The package of that kind in a folder, for this processor by default. */
export function packageFile(folder: string, kind: keyof typeof NAMES, arch = process.arch as Arch): string {
  const [file, ...more] = globSync(`${folder}/*${NAMES[kind][arch]}`);
  if (!file || more.length > 0) throw new Error(`not one ${kind} for ${arch} in ${folder}`);
  return file;
}

export const LATER = "999.0.0";
let later: Promise<string> | undefined;

/** The folder with the packages of version `LATER` for this processor; removed when the process ends. */
export function laterPackages(): Promise<string> {
  later ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-later-"));
    process.once("exit", () => rmSync(folder, { recursive: true }));
    await linuxPackages(folder, process.arch as Arch, LATER);
    return folder;
  })();
  return later;
}
