// The Helm chart in the form for `helm install`: a gzipped tar archive of its folder.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tar } from "./tar.ts";
import { ROOT, version } from "./version.ts";

const CHART = join(ROOT, "packaging/chart");

/** Makes `wirespan-chart-VERSION.tgz` in the folder `out`. */
export function chart(out: string): void {
  const files = globSync(["*.*", "templates/*"], { cwd: CHART }).sort();
  const entries = files.map((path) => {
    return { path: `wirespan/${path}`, mode: 0o644, content: readFileSync(join(CHART, path)) };
  });
  writeFileSync(join(out, `wirespan-chart-${version}.tgz`), gzipSync(tar(entries)));
}
