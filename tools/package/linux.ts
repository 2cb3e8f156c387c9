// Debian and RPM packages with their own Node and the systemd unit, built by nfpm: packaging/linux/nfpm.yaml describes both.
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { copyProgram } from "./contents.ts";
import { ARCHES, type Arch, nfpm } from "./fetched.ts";
import { version as ours, ROOT, SOURCE_DATE_EPOCH } from "./version.ts";

/** As Debian spells them; nfpm translates them for RPM. */
const SPELLED = { x64: "amd64", arm64: "arm64" } as const;
const MAINTAINER = "The wirespan authors <wirespan@wirespan.invalid>";

/** Sets times and modes of files and folders, so that they do not depend on where and by whom the packages are built. */
function settle(folder: string): void {
  execFileSync("chmod", ["-R", "u=rwX,go=rX", folder]);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    utimesSync(join(folder, name), SOURCE_DATE_EPOCH, SOURCE_DATE_EPOCH);
}

/** Moves the files that distributions keep with the documentation, under their usual names. */
function moveTexts(program: string, texts: string): void {
  mkdirSync(texts);
  for (const name of ["README.md", "LICENSES", "THIRD-PARTY.txt"])
    renameSync(join(program, name), join(texts, name));
  writeFileSync(
    join(texts, "changelog.gz"),
    gzipSync(readFileSync(join(program, "CHANGELOG.md")), { level: 9 }),
  );
  for (const name of ["CHANGELOG.md", "LICENSE"]) rmSync(join(program, name));
}

const changelog = (version: string) => [
  {
    semver: version,
    date: new Date(SOURCE_DATE_EPOCH * 1000).toISOString(),
    packager: MAINTAINER,
    deb: { urgency: "medium", distributions: ["stable"] },
    changes: [{ note: "See changelog.gz." }],
  },
];

/** Makes `wirespan_VERSION-1_ARCH.deb` and `wirespan-VERSION-1.ARCH.rpm` in the folder `out`. */
export async function linuxPackages(out: string, arch: Arch, version = ours): Promise<void> {
  const program = await nfpm();
  const stage = mkdtempSync(join(tmpdir(), "wirespan-linux-"));
  try {
    await copyProgram(join(stage, "program"), arch);
    moveTexts(join(stage, "program"), join(stage, "texts"));
    settle(stage);
    writeFileSync(join(stage, "changelog.yaml"), JSON.stringify(changelog(version)));
    symlinkSync(join(ROOT, "packaging"), join(stage, "packaging"));
    const env = {
      ...process.env,
      SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH),
      ARCH: SPELLED[arch],
      VERSION: version,
      MAINTAINER,
    };
    mkdirSync(out, { recursive: true });
    for (const kind of ["deb", "rpm"]) {
      const words = ["package", "--config", "packaging/linux/nfpm.yaml", "--packager", kind, "--target", out];
      execFileSync(program, words, { cwd: stage, env, stdio: ["ignore", "ignore", "inherit"] });
    }
  } finally {
    rmSync(stage, { recursive: true });
  }
}

export async function linux(out: string): Promise<void> {
  for (const arch of ARCHES) await linuxPackages(out, arch);
}
