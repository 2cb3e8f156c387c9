// The packaged addon: what it requires of a host, and that its build is reproducible.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scratchClone } from "../../test/support/scratch-clone.ts";
import { skip } from "../../test/support/skip.ts";
import { addon } from "./addon.ts";
import { ARCHES, cached, nodePackage } from "./fetched.ts";

const readelf = (...args: readonly string[]) =>
  execFileSync("readelf", ["-W", ...args], { encoding: "utf8" });

/** Symbols that the host must provide, with their versions, except weak ones. */
function required(file: string): { readonly name: string; readonly version: string | undefined }[] {
  const rows = readelf("--dyn-syms", file).matchAll(/ GLOBAL +DEFAULT +UND +([^@\s]+)(?:@(\S+))?/g);
  return [...rows].map(([, name = "", version]) => ({ name, version }));
}

describe("the addon of the packages", function () {
  this.timeout(600_000);
  for (const arch of ARCHES) {
    describe(`for ${arch}`, () => {
      let file = "";
      before(async () => {
        file = await addon(arch);
      });

      it("requires at most glibc 2.28, and from other libraries only what Node includes", () => {
        const symbols = required(file);
        const minors = symbols.flatMap(({ version }) =>
          version ? [Number(/^GLIBC_2\.(\d+)/.exec(version)?.[1])] : [],
        );
        assert.ok(minors.length > 80, `${minors.length} symbols of glibc`);
        assert.equal(Math.max(...minors), 28);
        const others = symbols.filter(({ version }) => version === undefined).map(({ name }) => name);
        assert.deepEqual(
          others.filter((name) => !/^(napi|node_api|uv)_/.test(name)),
          [],
        );
      });

      it("requires no libraries but those of glibc", () => {
        const libraries = [...readelf("-d", file).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(
          ([, name = ""]) => name,
        );
        const glibc = /^(lib(c|m|dl|pthread)|ld-linux-(x86-64|aarch64))\.so\.\d$/;
        assert.ok(libraries.includes("libc.so.6"));
        assert.deepEqual(
          libraries.filter((name) => !glibc.test(name)),
          [],
        );
      });

      it("is at most 1.2 MB, and contains no path of the machine that built it", () => {
        assert.ok(statSync(file).size <= 1_200_000, `${statSync(file).size} bytes`);
        assert.doesNotMatch(readFileSync(file, "latin1"), /\/(root|home|work|tmp)\/\w/);
      });
    });
  }

  it("for musl requires nothing of glibc", async () => {
    const file = await addon("x64", "musl");
    assert.deepEqual(
      [...readelf("-d", file).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name),
      ["libc.so"],
    );
    assert.ok(required(file).every(({ version }) => version === undefined));
    assert.ok(statSync(file).size <= 1_200_000, `${statSync(file).size} bytes`);
  });

  it("is loaded by Node for arm64, and reads the kernel's types there", async function () {
    if (process.arch !== "x64") skip(this, "is for machines that cannot run it as they are");
    for (const program of ["qemu-aarch64", "mmdebstrap"])
      if (spawnSync(program, ["--version"]).error) skip(this, `needs ${program}`);
    const libraries = await cached("debian-bookworm-arm64-libraries", (part) => {
      const words = ["--quiet", "--architectures=arm64", "--variant=extract", "--include=libc6,libstdc++6"];
      const into = ["bookworm", join(part, "root"), "http://deb.debian.org/debian"];
      execFileSync("mmdebstrap", [...words, ...into], { stdio: ["ignore", "ignore", "inherit"] });
    });
    const said = (file: string, ...node: readonly string[]) => {
      const [program = "", ...rest] = node;
      const look = `const native = require(${JSON.stringify(file)});
        console.log(process.arch, JSON.stringify(native.kernelEnum("skb_drop_reason")));`;
      return execFileSync(program, [...rest, "-e", look], { encoding: "utf8" });
    };
    const [here, there] = [await addon("x64"), await addon("arm64")];
    const emulated = [
      "qemu-aarch64",
      "-L",
      join(libraries, "root"),
      join(await nodePackage("arm64"), "bin/node"),
    ];
    const types = said(here, process.execPath).replace("x64 ", "");
    assert.match(types, /SKB_DROP_REASON_NO_SOCKET|NO_SOCKET/);
    assert.equal(said(there, ...emulated), `arm64 ${types}`);
  });

  it("is identical if it is built again, in another folder and with an empty compiler cache", async () => {
    const clone = scratchClone();
    const cache = mkdtempSync(join(tmpdir(), "wirespan-zig-"));
    try {
      rmSync(join(clone, "native/build"));
      mkdirSync(join(clone, "native/build"));
      const program = 'console.log(await (await import("./tools/package/addon.ts")).addon(process.arch))';
      const built = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
        cwd: clone,
        encoding: "utf8",
        env: { ...process.env, ZIG_LOCAL_CACHE_DIR: cache },
      }).trim();
      assert.ok(built.startsWith(clone), built);
      assert.deepEqual(readFileSync(built), readFileSync(await addon(process.arch as "x64" | "arm64")));
    } finally {
      rmSync(clone, { recursive: true });
      rmSync(cache, { recursive: true });
    }
  });
});
