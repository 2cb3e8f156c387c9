// Runs the commands in the README's section "Install" literally.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { allPackages } from "../../test/support/all-packages.ts";
import { Machine } from "../../test/support/machine.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { installLines } from "../../test/support/readme.ts";
import { RootFs } from "../../test/support/rootfs.ts";

/** The user is already root, and apt does not prompt. */
const AS_ROOT = `set -e; cd /clone; export DEBIAN_FRONTEND=noninteractive; sudo() { "$@"; }`;

describe("the README's lines", () => {
  for (const release of ["bookworm", "trixie"] as const) {
    it(`install the service on a bare Debian ${release}, without a network`, async function () {
      needsRoot(this);
      const folder = allPackages();
      using root = await RootFs.create(this, release);
      mkdirSync(join(root.path, "clone"));
      await using machine = await Machine.boot(root.path, { folders: { "/clone/dist/packages": folder } });
      const said = await machine.run("sh", "-c", `${AS_ROOT}\n${installLines("Debian, Ubuntu")}`);
      const plugins = /^Plugins\n(.*?)\n\n/ms.exec(said)?.[1]?.split("\n") ?? [];
      assert.equal(plugins.filter((line) => /: (running|degraded)/.test(line)).length, 13, said);
    });
  }
});
