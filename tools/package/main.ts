// `npm run package [-- KIND...]`: makes packages of what was built, in dist/packages; without KIND, all of them.
// Beside them SHA256SUMS and an SBOM. The bytes depend on what was built alone.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chart } from "./chart.ts";
import { correlate } from "./correlate.ts";
import { image } from "./image.ts";
import { linux } from "./linux.ts";
import { npm } from "./npm.ts";
import { sbom, sums } from "./sbom.ts";
import { ROOT } from "./version.ts";

/** What makes each kind of package in the folder that it is given. */
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
