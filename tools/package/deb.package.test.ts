// The life cycle of the .deb on a machine with minimal Debian and systemd; the tests run in this order.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import packageJson from "../../package.json" with { type: "json" };
import { allPackages } from "../../test/support/all-packages.ts";
import { Machine } from "../../test/support/machine.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { LATER, laterPackages, packageFile } from "../../test/support/packaged.ts";
import { RootFs } from "../../test/support/rootfs.ts";
import { until } from "../../test/support/until.ts";

const UNIT = "wirespan.service";
const CONFIG = "/etc/wirespan/wirespan.yaml";
/** One plugin less, and an exporter without a backend. */
const OWN = `version: 1
plugins: { softirqs: { enabled: false } }
metrics: { interval: 500ms }
shutdown: { timeout: 1s }
exporters: { nobody: { type: otlp_grpc, endpoint: "http://127.0.0.1:1" } }
`;

describe("the Debian package", () => {
  let root: RootFs;
  let machine: Machine;
  let deb = "";
  let newer = "";
  let untouched: ReadonlySet<string>;

  before(async function () {
    needsRoot(this);
    const folder = allPackages();
    const folderOfNewer = await laterPackages();
    deb = `/packages/${basename(packageFile(folder, "deb"))}`;
    newer = `/newer/${basename(packageFile(folderOfNewer, "deb"))}`;
    root = await RootFs.create(this);
    machine = await Machine.boot(root.path, { folders: { "/packages": folder, "/newer": folderOfNewer } });
    untouched = new Set(await files());
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    root?.[Symbol.dispose]();
  });

  const property = (name: string) => machine.property(UNIT, name);
  const pid = async () => Number(await property("MainPID"));
  const active = () => property("ActiveState");
  const write = (path: string, text: string) => machine.run("sh", "-c", 'printf %s "$1" >"$0"', path, text);
  const systemctl = (...words: string[]) => machine.run("systemctl", ...words);

  /** Everything on the disk except logs, package lists and dpkg's data about installed packages. */
  async function files(): Promise<readonly string[]> {
    const found = await machine.run(
      "find",
      "/",
      "-xdev",
      "-not",
      "-path",
      "/var/log/*",
      "-not",
      "-path",
      "/var/cache/*",
    );
    return found.trim().split("\n").sort();
  }

  /** Waits until systemd has restarted it with a pid other than `former`. */
  async function restarted(former: number): Promise<void> {
    const isNew = (now: number) => now !== 0 && now !== former;
    await until("a restart", async () => isNew(await pid()) && (await active()) === "active", 60_000);
  }

  it("runs every plugin after dpkg has ended", async () => {
    await machine.run("dpkg", "--install", deb);
    assert.deepEqual(
      [await active(), await property("UnitFileState"), await property("NRestarts")],
      ["active", "enabled", "0"],
      await machine.journal(UNIT),
    );
    assert.match(await property("StatusText"), /^13 plugins\b(?!.*failed).*nothing lost/);
  });

  it("keeps its data in /var/lib/wirespan and shows it to root on the loopback", async () => {
    const ask = `const answer = await fetch("http://127.0.0.1:4380/"); console.log(answer.status, await answer.text())`;
    const page = await machine.run("/usr/lib/wirespan/node", "--input-type=module", "-e", ask);
    assert.match(page, /^200 <!doctype html>/i);
    const [owner, mode] = (await machine.run("stat", "-c", "%u %a", "/var/lib/wirespan/viewer.db")).split(
      " ",
    );
    assert.equal(mode?.trim(), "600");
    const status = await machine.run("cat", `/proc/${await pid()}/status`);
    assert.match(status, new RegExp(`^Uid:\\t${owner}\\t`, "m"), "a user of its own");
    assert.notEqual(owner, "0");
  });

  it("keeps the code that a start has compiled, for itself alone, and uses it at the next start", async () => {
    const kept = () => machine.run("stat", "-L", "-c", "%a %Y %i", "/var/cache/wirespan/wirespan.code");
    await until("kept code", () => kept().catch(() => undefined));
    const before = await kept();
    assert.match(before, /^600 /);
    await systemctl("restart", UNIT);
    // Longer than the start of an agent, after which code that was not accepted would be replaced.
    await sleep(5000);
    assert.equal(await kept(), before);
  });

  it("has a command that reaches the service", async () => {
    assert.match(
      await machine.run("wirespan", "--version"),
      new RegExp(`^wirespan ${packageJson.version}$`, "m"),
    );
    assert.match(await machine.run("wirespan", "status"), new RegExp(`, pid ${await pid()}, `));
  });

  it("is rated 2.0 or better by systemd-analyze", async () => {
    const rated = await machine.run("systemd-analyze", "security", "--no-pager", UNIT);
    const level = Number(/exposure level for wirespan\.service: (\d+\.\d+)/.exec(rated)?.[1]);
    assert.ok(level > 0 && level <= 2.0, rated.slice(-200));
  });

  it("reloads a valid configuration, and refuses an invalid one", async () => {
    const process = await pid();
    await write(CONFIG, OWN);
    await systemctl("reload", UNIT);
    assert.match(await machine.journal(UNIT), /^softirqs: stopped$/m);
    await write(CONFIG, OWN.replace("softirqs", "softirq"));
    await assert.rejects(systemctl("reload", UNIT), /failed/);
    assert.match(
      await machine.journal(UNIT),
      /wirespan\.yaml:2: plugins\.softirq: unknown plugin; did you mean softirqs\?/,
    );
    assert.deepEqual([await active(), await pid()], ["active", process]);
    await until("its state", async () => /^12 plugins\b/.test(await property("StatusText")));
    await write(CONFIG, OWN);
  });

  it("is restarted after being killed", async () => {
    const former = await pid();
    await systemctl("kill", "--signal=KILL", "--kill-whom=main", UNIT);
    await restarted(former);
    assert.equal(await property("NRestarts"), "1");
  });

  it("is restarted if its watchdog expires", async () => {
    assert.equal(await property("WatchdogUSec"), "1min");
    const drop = `/run/systemd/system/${UNIT}.d`;
    await machine.run("mkdir", "-p", drop);
    await write(`${drop}/watchdog.conf`, "[Service]\nWatchdogSec=5\n");
    await systemctl("daemon-reload");
    await systemctl("restart", UNIT);
    const former = await pid();
    await systemctl("kill", "--signal=STOP", "--kill-whom=main", UNIT);
    await until("its end", async () => (await active()) !== "active");
    assert.equal(await property("Result"), "watchdog");
    await machine.run("rm", "-r", drop);
    await systemctl("daemon-reload");
    await restarted(former);
  });

  it("counts as successful if it exits with losses", async () => {
    await until("a loss that is certain", async () =>
      /^ {4}points: [1-9]/m.test(await machine.run("wirespan", "status")),
    );
    await systemctl("stop", UNIT);
    assert.deepEqual(
      [await active(), await property("Result"), await property("ExecMainStatus")],
      ["inactive", "success", "7"],
    );
  });

  it("keeps the configuration and restarts on upgrade", async () => {
    await systemctl("start", UNIT);
    const former = await pid();
    await machine.run("dpkg", "--install", newer);
    assert.match(
      await machine.run("dpkg-query", "--show", "--showformat", "$" + "{Version}", "wirespan"),
      new RegExp(`^${LATER}`),
    );
    assert.equal(await machine.run("cat", CONFIG), OWN);
    assert.notEqual(await pid(), former);
    assert.equal(await active(), "active");
  });

  it("stays disabled on upgrade if the administrator has disabled it", async () => {
    await systemctl("disable", "--now", UNIT);
    await machine.run("dpkg", "--install", newer);
    assert.deepEqual([await active(), await property("UnitFileState")], ["inactive", "disabled"]);
    await systemctl("enable", "--now", UNIT);
  });

  it("stops the service and keeps configuration and state when it is removed", async () => {
    await machine.run("dpkg", "--remove", "wirespan");
    assert.equal(await property("LoadState"), "not-found");
    const left = (await files()).filter((path) => !untouched.has(path));
    assert.deepEqual(
      left.filter((path) => path.startsWith("/usr/")),
      [],
    );
    for (const path of [CONFIG, "/etc/default/wirespan", "/var/lib/private/wirespan/viewer.db"])
      assert.ok(left.includes(path), path);
  });

  it("leaves nothing when it is purged", async () => {
    await machine.run("dpkg", "--purge", "wirespan");
    assert.deepEqual(
      (await files()).filter((path) => !untouched.has(path)),
      [],
    );
    assert.equal(await machine.run("find", "/var/cache", "-name", "*wirespan*"), "");
  });
});
