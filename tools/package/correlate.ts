// The packages with which applications label their bytes: an npm tarball, a Python wheel and a zip of a Go module.
import { execFileSync } from "node:child_process";
import { cpSync } from "node:fs";
import { basename, join } from "node:path";
import { copy } from "./contents.ts";
import { pack } from "./npm.ts";
import { ROOT, version } from "./version.ts";

const FOLDER = join(ROOT, "correlate");

/** Makes all three in the folder `out`. */
export async function correlate(out: string): Promise<void> {
  await pack(out, (folder) => {
    const filter = (path: string) => !["node_modules", "test"].includes(basename(path));
    cpSync(join(FOLDER, "node"), folder, { recursive: true, filter });
    copy("LICENSE", join(folder, "LICENSE"));
  });
  const python = (...args: readonly string[]) =>
    execFileSync("python3", args, { stdio: ["ignore", "ignore", "inherit"] });
  python(join(FOLDER, "python/build_wheel.py"), out);
  const zip = join(out, `wirespan-correlate-go-${version}.zip`);
  python(join(ROOT, "packaging/go_module.py"), join(FOLDER, "go"), join(ROOT, "LICENSE"), version, zip);
}
