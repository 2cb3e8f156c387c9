// The content of the .deb and the .rpm, for both processors.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { allPackages } from "../../test/support/all-packages.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { packageFile } from "../../test/support/packaged.ts";
import { skip } from "../../test/support/skip.ts";

const sha256 = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
const output = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 });

/** Files that only Debian's packages have. */
const DEBIAN_ALONE = /^\/usr\/share\/(lintian\/.*|doc\/wirespan\/changelog\.Debian\.gz)$/;

/** The processor in an ELF header. */
const EM_AARCH64 = 183;

/** Files of a folder as `PATH MODE DIGEST`. */
function listed(folder: string): string[] {
  return globSync("**", { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return `/${relative(folder, file)} ${statSync(file).mode.toString(8)} ${sha256(file)}`;
    })
    .filter((line) => !DEBIAN_ALONE.test(line.split(" ")[0]!))
    .sort();
}

describe("packages for Linux distributions", () => {
  let folder = "";
  let scratch = "";
  let deb = "";

  before(function () {
    needsRoot(this);
    folder = allPackages();
    deb = packageFile(folder, "deb");
    scratch = mkdtempSync(join(tmpdir(), "wirespan-linux-test-"));
  });
  after(() => {
    if (scratch) rmSync(scratch, { recursive: true });
  });

  it("have the same files, with the same modes", () => {
    const files = join(scratch, "deb");
    execFileSync("dpkg-deb", ["--extract", deb, files]);
    const format = "[%{FILENAMES} %{FILEMODES:octal} %{FILEDIGESTS}\n]";
    const ofRpm = output("rpm", "-qp", "--queryformat", format, packageFile(folder, "rpm"))
      .trim()
      .split("\n")
      .filter((line) => / 100[0-7]{3} /.test(line));
    assert.deepEqual(ofRpm.sort(), listed(files));
  });

  it("keep an administrator's changes", () => {
    const conffiles = ["/etc/default/wirespan", "/etc/wirespan/wirespan.yaml"];
    assert.deepEqual(output("dpkg-deb", "--info", deb, "conffiles").trim().split("\n").sort(), conffiles);
    const rpm = output(
      "rpm",
      "-qp",
      "--queryformat",
      "[%{FILENAMES} %{FILEFLAGS:fflags}\n]",
      packageFile(folder, "rpm"),
    );
    assert.deepEqual(
      [...rpm.matchAll(/^(\S+) cn$/gm)].map(([, path]) => path),
      conffiles,
    );
  });

  it("pass Debian's lintian, except for tags that do not apply", function () {
    if (spawnSync("lintian", ["--version"]).error) skip(this, "needs lintian");
    const words = ["--allow-root", "--fail-on", "error,warning", "--suppress-tags"];
    // A rule of the Debian archive; dpkg supports zstd since Debian 12.
    const { status, stdout, stderr } = spawnSync("lintian", [...words, "malformed-deb-archive", deb], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout + stderr);
  });

  it("for arm64 have its Node and its addon", () => {
    const arm = packageFile(folder, "deb", "arm64");
    assert.equal(output("dpkg-deb", "--field", arm, "Architecture").trim(), "arm64");
    assert.equal(
      output("rpm", "-qp", "--queryformat", "%{ARCH}", packageFile(folder, "rpm", "arm64")),
      "aarch64",
    );
    const files = join(scratch, "arm64");
    execFileSync("dpkg-deb", ["--extract", arm, files]);
    for (const name of ["node", "native/build/wirespan.node"]) {
      const header = readFileSync(join(files, "usr/lib/wirespan", name));
      assert.equal(header.readUInt16LE(18), EM_AARCH64, name);
    }
  });
});
