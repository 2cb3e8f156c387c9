// What the composition's container takes to load, in CPU, as the agent loads it and as its package would be.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { differences, median, type Row } from "./figures.ts";

const ROOT = join(import.meta.dirname, "..");

/** CPU milliseconds that a fresh process takes for `load`, with a compile cache as npm start has it. */
function cpuOf(load: string): number {
  const code = `
    import { createRequire } from "node:module";
    const require = createRequire(${JSON.stringify(join(ROOT, "package.json"))});
    Reflect.getMetadata ??= () => undefined;
    require("node:net");
    const before = process.cpuUsage();
    ${load}
    const { user, system } = process.cpuUsage(before);
    process.stdout.write(String((user + system) / 1000));`;
  const NODE_COMPILE_CACHE = join(ROOT, "node_modules/.cache/wirespan");
  const options = { encoding: "utf8", env: { ...process.env, NODE_COMPILE_CACHE } } as const;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", code], options));
}

export function containerRow(rounds: number): Row {
  const [ours, floor, published]: [number[], number[], number[]] = [[], [], []];
  const shape = JSON.stringify(join(ROOT, "core/base/shape.ts"));
  const container = JSON.stringify(join(ROOT, "core/base/container.ts"));
  for (let round = 0; round < rounds; round++) {
    ours.push(cpuOf(`const { Container } = await import(${container}); new Container().child();`));
    floor.push(cpuOf(`await import(${shape});`));
    published.push(cpuOf(`require("tsyringe").container.createChildContainer();`));
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
