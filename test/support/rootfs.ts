// Debian as installed by `debootstrap`, with systemd: no Node, no compiler, no library of ours.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached } from "../../tools/package/fetched.ts";
import { skip } from "./skip.ts";

export type Release = "bookworm" | "trixie";

const MIRROR = "http://deb.debian.org/debian";
const PACKAGES = "systemd,systemd-sysv,dbus";

/** Its folder, to be used read-only: created by apt with signatures checked, and kept in the user's cache. */
async function pristine(context: Mocha.Context, release: Release): Promise<string> {
  for (const program of ["mmdebstrap", "systemd-nspawn"])
    if (!existsSync(`/usr/bin/${program}`)) skip(context, `needs ${program}`);
  const folder = await cached(`debian-${release}`, (part) => {
    const words = [
      "--quiet",
      "--variant=minbase",
      `--include=${PACKAGES}`,
      release,
      join(part, "root"),
      MIRROR,
    ];
    execFileSync("mmdebstrap", words, { stdio: ["ignore", "ignore", "inherit"] });
  });
  return join(folder, "root");
}

/** A writable one; disposal removes it. */
export class RootFs implements Disposable {
  readonly path: string;
  readonly #folder: string;

  private constructor(lower: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "wirespan-root-"));
    this.path = join(this.#folder, "root");
    const [upper, work] = ["upper", "work"].map((name) => join(this.#folder, name));
    for (const path of [this.path, upper!, work!]) mkdirSync(path);
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    execFileSync("mount", ["-t", "overlay", "-o", options, "overlay", this.path]);
  }

  /** Skips the test, or in a `before` hook the whole suite, if there is nothing to make it with. */
  static async create(context: Mocha.Context, release: Release = "bookworm"): Promise<RootFs> {
    return new RootFs(await pristine(context, release));
  }

  [Symbol.dispose](): void {
    execFileSync("umount", [this.path]);
    rmSync(this.#folder, { recursive: true });
  }
}
