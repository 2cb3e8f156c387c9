// Builds the page: `dist/`, which the store serves. Fails if the page has grown beyond its budget.
import { readFileSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { packagesIn } from "../tools/bundle.ts";

const HERE = import.meta.dirname;
const DIST = join(HERE, "dist");

/** Bytes of the whole page, compressed by gzip. */
const BUDGET = 140_000;

await mkdir(DIST, { recursive: true });
const { metafile } = await build({
  absWorkingDir: join(HERE, ".."),
  metafile: true,
  entryPoints: {
    app: join(HERE, "src/main.tsx"),
    layout: join(HERE, "src/layout.worker.ts"),
  },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2023",
  jsx: "automatic",
  jsxImportSource: "preact",
  outdir: DIST,
  loader: { ".css": "css" },
  logLevel: "warning",
});
await writeFile(join(DIST, "bundled.json"), JSON.stringify(packagesIn([{ metafile }])));
for (const file of ["index.html", "icon.svg"]) await cp(join(HERE, file), join(DIST, file));

const files = ["app.js", "app.css", "layout.js", "index.html", "icon.svg"];
const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(join(DIST, file))).length, 0);
if (bytes > BUDGET) {
  process.stderr.write(`viewer: the page takes ${bytes} bytes as gzip, more than its budget of ${BUDGET}\n`);
  process.exitCode = 1;
}
