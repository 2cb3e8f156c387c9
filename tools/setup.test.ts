import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const script = readFileSync(new URL("setup.sh", import.meta.url), "utf8");
const shellTools = ["sh", "cat", "cut", "grep", "id", "sed", "tr", "awk"];

describe("setup on a machine without compilers", () => {
  let bin: string;

  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "wirespan-path-"));
    chmodSync(bin, 0o755);
    for (const tool of shellTools) symlinkSync(`/bin/${tool}`, join(bin, tool));
  });

  afterEach(() => rmSync(bin, { recursive: true }));

  /** Runs setup as an ordinary user with the shell's tools and what the test adds to `bin`. */
  function setUp() {
    const asUser =
      process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const words = [...asUser, "env", `PATH=${bin}`, "sh", "-s", "x64", "everything"];
    return spawnSync(words[0]!, words.slice(1), { input: script, encoding: "utf8", cwd: bin });
  }

  const lines = {
    "apt-get": "  sudo apt-get update && sudo apt-get install -y --no-install-recommends clang make g++",
    dnf: "  sudo dnf install -y clang make gcc-c++",
    zypper: "  sudo zypper --non-interactive install clang make gcc-c++",
    pacman: "  sudo pacman -S --needed --noconfirm clang make gcc",
    apk: "  sudo apk add clang make g++",
  };
  for (const [manager, line] of Object.entries(lines)) {
    it(`prints the command for ${manager}, and the two capabilities, to a user without root`, () => {
      symlinkSync("/bin/false", join(bin, manager));
      const { status, stdout, stderr } = setUp();
      assert.equal(status, 2, stderr);
      assert.equal(stdout, "");
      assert.ok(
        stderr.split("\n").some((printed) => printed.startsWith(line)),
        stderr,
      );
      assert.match(stderr, /CAP_BPF and CAP_PERFMON/);
    });
  }

  it("lists what is needed, and why, if it does not know the package manager", () => {
    const { status, stdout, stderr } = setUp();
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^ {2}clang +compiles the BPF programs$/m);
    assert.match(stderr, /^ {2}c\+\+ +compiles the native addon$/m);
    assert.match(stderr, /clang 14 or newer, make, a C\+\+20 compiler and the headers of libbpf 1\.0/);
  });
});
