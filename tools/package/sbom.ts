// The bill of materials of everything that `npm run package` makes, in CycloneDX format (https://cyclonedx.org/docs/1.6/json).
import { createHash } from "node:crypto";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { ARCHES } from "./fetched.ts";
import { BINARIES } from "./npm.ts";
import { addonParts, bundledParts, nodePart, type Part } from "./parts.ts";
import { SOURCE_DATE_EPOCH, version } from "./version.ts";

/** A part of our own: its name, and the third-party parts that it contains. */
interface Own {
  readonly name: string;
  readonly parts: readonly Part[];
}

const own = ({ name }: Own) => `pkg:generic/${name}@${version}`;

function component({ name, version, license, purl, sha512 }: Part): object {
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    licenses: [{ expression: license }],
    purl,
    hashes: [{ alg: "SHA-512", content: sha512 }].filter(({ content }) => content !== undefined),
  };
}

/** Writes `wirespan-VERSION.cdx.json` into the folder `out`. */
export async function sbom(out: string): Promise<void> {
  const addon = await addonParts();
  const parts: readonly Own[] = [
    { name: "wirespan", parts: bundledParts() },
    ...BINARIES.map((name) => ({ name, parts: addon })),
    ...(await Promise.all(
      // Parts of packages that include Node.
      ARCHES.map(async (arch) => ({ name: `wirespan-node-${arch}`, parts: [await nodePart(arch)] })),
    )),
    ...["node", "python", "go"].map((name) => ({ name: `wirespan-correlate-${name}`, parts: [] })),
  ];
  const licenses = [{ expression: packageJson.license }];
  const ours = parts.map((one) => ({
    type: "library",
    "bom-ref": own(one),
    name: one.name,
    version,
    licenses,
  }));
  const theirs = new Map(
    parts.flatMap((one) => one.parts.map((part) => [part.purl, component(part)] as const)),
  );
  const root = `pkg:generic/wirespan-packages@${version}`;
  const bom = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(SOURCE_DATE_EPOCH * 1000).toISOString(),
      component: { type: "application", "bom-ref": root, name: "wirespan-packages", version, licenses },
    },
    components: [...ours, ...[...theirs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)],
    dependencies: [
      { ref: root, dependsOn: parts.map(own) },
      ...parts.map((one) => ({ ref: own(one), dependsOn: one.parts.map(({ purl }) => purl) })),
    ],
  };
  writeFileSync(join(out, `wirespan-${version}.cdx.json`), `${JSON.stringify(bom, null, 2)}\n`);
}

/** Writes SHA256SUMS, for `sha256sum -c`, for all files in the folder `out`. */
export function sums(out: string): void {
  const names = globSync("*", { cwd: out }).sort();
  const digest = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(out, name)))
      .digest("hex");
  writeFileSync(join(out, "SHA256SUMS"), names.map((name) => `${digest(name)}  ${name}\n`).join(""));
}
