// CPU time to load the dependency injection container: bundled, as in the agent, and as an npm package.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { BANNER, shared, sources } from "../tools/bundle.ts";
import { differences, median, type Row } from "./figures.ts";

const ROOT = join(import.meta.dirname, "..");

/** CPU milliseconds of `load` in a fresh process, with a compile cache like that of `npm start`. */
function cpuOf(load: string): number {
  const code = `
    Reflect.getMetadata ??= () => undefined;
    require("node:net");
    const before = process.cpuUsage();
    ${load}
    const { user, system } = process.cpuUsage(before);
    process.stdout.write(String((user + system) / 1000));`;
  const NODE_COMPILE_CACHE = join(ROOT, "node_modules/.cache/wirespan");
  const options = { cwd: ROOT, encoding: "utf8", env: { ...process.env, NODE_COMPILE_CACHE } } as const;
  return Number(execFileSync(process.execPath, ["-e", code], options));
}

export async function containerRow(rounds: number): Promise<Row> {
  const [ours, floor, published]: [number[], number[], number[]] = [[], [], []];
  const folder = mkdtempSync(join(ROOT, "bench/build/container-"));
  try {
    await build({
      ...shared,
      entryPoints: { container: "core/base/container.ts", floor: "core/base/shape.ts" },
      plugins: [await sources()],
      banner: { js: BANNER },
      outExtension: { ".js": ".cjs" },
      outdir: folder,
    });
    for (let round = 0; round < rounds + 1; round++) {
      const taken = [
        cpuOf(`const { Container } = require("${folder}/container.cjs"); new Container().child();`),
        cpuOf(`require("${folder}/floor.cjs");`),
        cpuOf(`require("tsyringe").container.createChildContainer();`),
      ] as const;
      // The first round fills the compile cache.
      if (round > 0) [ours, floor, published].forEach((figures, i) => void figures.push(taken[i]!));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    measure: "the container, loaded and made",
    unit: "ms of CPU",
    ours,
    floor: { name: "any module of ours", figures: floor },
    peers: [{ name: "tsyringe, file by file", figures: published }],
    goal: "≤ 3 above the floor",
    met: median(differences(ours, floor)) <= 3,
  };
}
