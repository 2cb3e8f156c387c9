// `npm run package [-- KIND...]`: makes packages from the build output, in dist/packages; without KIND, all of them,
// with SHA256SUMS and an SBOM. The bytes depend only on the build output.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chart } from "./chart.ts";
import { correlate } from "./correlate.ts";
import { image } from "./image.ts";
import { linux } from "./linux.ts";
import { npm } from "./npm.ts";
import { sbom, sums } from "./sbom.ts";
import { ROOT } from "./version.ts";

/** Functions that make each kind of package in a folder. */
const kinds: Readonly<Record<string, (out: string) => Promise<void> | void>> = {
  npm,
  correlate,
  linux,
  image,
  chart,
};

const OUT = join(ROOT, "dist/packages");

const wanted = process.argv.slice(2);
const unknown = wanted.filter((kind) => !kinds[kind]);
if (unknown.length > 0) {
  process.stderr.write(`no kind ${unknown.join(", ")}: the kinds are ${Object.keys(kinds).join(", ")}\n`);
  process.exit(2);
}
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
for (const [kind, make] of Object.entries(kinds))
  if (wanted.length === 0 || wanted.includes(kind)) await make(OUT);
await sbom(OUT);
sums(OUT);
