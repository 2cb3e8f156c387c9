// Checks that run no product code: format, lint, imports, includes, types, and whether generated files match the built
// objects.
import { accessSync, constants, existsSync, globSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Skip } from "../test/support/reporter.ts";

/** A program to run; a nonzero exit status is a failure. */
export interface Step {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
}

/** The steps that can run on this machine, and the names of those that cannot. */
export function checks(): { steps: readonly Step[]; skips: readonly Skip[] } {
  const steps: Step[] = [
    { name: "biome", command: [process.execPath, "node_modules/@biomejs/biome/bin/biome", "check"] },
    { name: "imports", command: [process.execPath, "tools/imports.ts"] },
    { name: "includes", command: [process.execPath, "tools/includes.ts"] },
    { name: "types", command: [process.execPath, "node_modules/typescript/bin/tsc", "-p", "."] },
    {
      name: "types of the page",
      command: [process.execPath, "node_modules/typescript/bin/tsc", "-p", "viewer"],
    },
  ];
  const skips: Skip[] = [];

  if (isCommand("clang-format")) {
    // The table of bucket edges is generated.
    const sources = globSync(["bpf/**/*.{c,h}", "plugins/*/*.{c,h}", "native/src/*.{cc,h}"], {
      exclude: ["bpf/include/wirespan/histogram_edges.h"],
    });
    steps.push({ name: "clang-format", command: ["clang-format", "--dry-run", "-Werror", ...sources] });
  } else {
    skips.push({ title: "check clang-format", reason: "no clang-format on PATH" });
  }

  if (globSync("plugins/*/*.bpf.c").every((source) => existsSync(source.replace(/c$/, "o")))) {
    for (const tool of ["histogram-edges", "btfgen", "docgen", "dashgen"]) {
      steps.push({ name: tool, command: [process.execPath, `tools/${tool}.ts`, "--check"] });
    }
  } else {
    skips.push({ title: "check generated files", reason: "the BPF objects are not built (npm run build)" });
  }
  return { steps, skips };
}

function isCommand(name: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
