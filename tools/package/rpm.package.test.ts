// The life cycle of the .rpm under a real systemd, installed by this host's rpm; the tests run in this order. Its
// dependencies are installed on the machine, but not as packages that rpm knows.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { basename } from "node:path";
import { allPackages } from "../../test/support/all-packages.ts";
import { Machine } from "../../test/support/machine.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { laterPackages, packageFile } from "../../test/support/packaged.ts";
import { RootFs } from "../../test/support/rootfs.ts";
import { skip } from "../../test/support/skip.ts";

const UNIT = "wirespan.service";
const CONFIG = "/etc/wirespan/wirespan.yaml";

describe("the RPM package", () => {
  let root: RootFs;
  let machine: Machine;
  let file = "";
  let newer = "";

  before(async function () {
    needsRoot(this);
    if (globSync("/usr/bin/rpm").length === 0) skip(this, "needs rpm");
    const folder = allPackages();
    const folderOfNewer = await laterPackages();
    file = `/packages/${basename(packageFile(folder, "rpm"))}`;
    newer = `/newer/${basename(packageFile(folderOfNewer, "rpm"))}`;
    root = await RootFs.create(this);
    const folders = { "/packages": folder, "/newer": folderOfNewer, "/host": "/usr" };
    machine = await Machine.boot(root.path, { folders });
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    root?.[Symbol.dispose]();
  });

  /** Runs this host's rpm, with its own libraries, on the machine. */
  const rpm = (...words: string[]) => {
    const [loader] = globSync("/usr/lib{,64}/{,*-linux-gnu/}ld-linux-*.so.*");
    const libraries = globSync("/usr/lib{64,/*-linux-gnu}").map((path) => path.replace("/usr", "/host"));
    return machine.run(
      ...["env", "RPM_CONFIGDIR=/host/lib/rpm", loader!.replace("/usr", "/host"), "--library-path"],
      ...[libraries.join(":"), "/host/bin/rpm", ...words],
    );
  };
  const property = (name: string) => machine.property(UNIT, name);

  it("is enabled according to the distribution's presets, and started by the administrator", async () => {
    await rpm("--install", "--nodeps", file);
    assert.deepEqual(
      [await property("ActiveState"), await property("UnitFileState")],
      ["inactive", "enabled"],
    );
    await machine.run("systemctl", "start", UNIT);
    assert.match(await property("StatusText"), /^13 plugins\b(?!.*failed)/, await machine.journal(UNIT));
    assert.match(await machine.run("wirespan", "status"), new RegExp(`, pid ${await property("MainPID")}, `));
  });

  it("keeps the configuration and restarts on upgrade", async () => {
    const former = await property("MainPID");
    await machine.run("sh", "-c", `echo "# own" >>${CONFIG}`);
    await rpm("--upgrade", "--nodeps", newer);
    assert.match(await machine.run("cat", CONFIG), /^# own$/m);
    assert.equal(await property("ActiveState"), "active");
    assert.notEqual(await property("MainPID"), former);
  });

  it("stops the service and keeps changed files and data when it is removed", async () => {
    await rpm("--erase", "wirespan");
    assert.equal(await property("LoadState"), "not-found");
    const left = await machine.run(
      "find",
      "/etc",
      "/usr",
      "/var/lib/private",
      "-xdev",
      "-name",
      "*wirespan*",
    );
    assert.deepEqual(left.trim().split("\n").sort(), [
      "/etc/wirespan",
      `${CONFIG}.rpmsave`,
      "/var/lib/private/wirespan",
    ]);
  });
});
