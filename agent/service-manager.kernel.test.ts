// What the agent sends to systemd over a socket, and the unit.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAgent } from "../test/support/agent.ts";
import { receiveDatagrams } from "../test/support/datagrams.ts";
import { needsRoot } from "../test/support/netns.ts";
import { skip } from "../test/support/skip.ts";

const UNIT = join(import.meta.dirname, "../packaging/wirespan.service");
/** Restricted to its own connections: those of others may exceed the kernel's buffers. */
const CONFIG = `version: 1
filter: { include: { pid: ${process.pid} } }
metrics: { interval: 200ms }
control: { socket: "" }
exporters: { c: { type: console } }
`;
const STATUS = "STATUS=2 plugins; nothing lost";

/** Without what the kernel has not shown of the whole host's connections, which is not the agent's fault. */
const withoutUnseen = (status: string) =>
  status.replace(
    /(?:lost: \d+ connection ends|nothing lost); this kernel did not show \d+ events? to tracing programs/,
    "nothing lost",
  );

const isStatus = (text: string) => text.startsWith("STATUS=");
const isAlive = (text: string) => text === "WATCHDOG=1";

describe("an agent started by systemd", () => {
  let folder: string;

  before(async function () {
    needsRoot(this);
    folder = await mkdtemp(join(tmpdir(), "wirespan-notify-"));
  });
  after(async () => {
    if (folder) await rm(folder, { recursive: true });
  });

  it("reports readiness, its state at each collection, its watchdog, reloads, and its stop", async () => {
    const address = join(folder, "notify");
    await using manager = await receiveDatagrams(address);
    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "400000" };
    await using agent = await startAgent(["--plugin", "tcplife", "tcpstates"], { config: CONFIG, env });
    await manager.until("three collections and signs of life", (received) => {
      return received.filter(isStatus).length >= 3 && received.filter(isAlive).length >= 2;
    });
    process.kill(agent.pid, "SIGHUP");
    await manager.until("the end of the reload", (received) => received.includes("READY=1"));
    const { code } = await agent.stop();
    assert.equal(code, 0);
    await manager.until("its end", (received) => received.includes("STOPPING=1"));
    const rare = manager.received.filter((text) => !isStatus(text) && !isAlive(text));
    assert.deepEqual(
      rare.map((text) => withoutUnseen(text).replace(/(?<=MONOTONIC_USEC=)\d+$/, "now")),
      [`READY=1\n${STATUS}`, "RELOADING=1\nMONOTONIC_USEC=now", "READY=1", "STOPPING=1"],
    );
    assert.equal(manager.received[0], rare[0], "nothing is said before");
    assert.deepEqual([...new Set(manager.received.filter(isStatus).map(withoutUnseen))], [STATUS]);
    const [sec] = process.hrtime();
    const reloadedAt = Number(/MONOTONIC_USEC=(\d+)/.exec(rare[1]!)?.[1]) / 1e6;
    assert.ok(
      reloadedAt > sec - 60 && reloadedAt <= sec + 1,
      `${reloadedAt} is not a time just before ${sec}`,
    );
  });

  it("does not notify a watchdog that is set for another process", async () => {
    const address = `@wirespan-notify-${process.pid}`;
    await using manager = await receiveDatagrams(address);
    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" };
    await using agent = await startAgent(["--plugin", "tcplife"], { config: CONFIG, env });
    await manager.until("three collections", (received) => received.filter(isStatus).length >= 3);
    await agent.stop();
    assert.deepEqual(manager.received.filter(isAlive), []);
  });

  it("continues if nothing receives its notifications, and logs that once", async () => {
    const env = { NOTIFY_SOCKET: join(folder, "nonesuch"), WATCHDOG_USEC: "20000" };
    await using agent = await startAgent(["--plugin", "tcplife"], { config: CONFIG, env });
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0);
    const lines = stderr.filter((line) => line.includes("NOTIFY_SOCKET"));
    assert.equal(lines.length, 1, stderr.join("\n"));
    assert.match(lines[0]!, /the service manager \(NOTIFY_SOCKET\) is not notified: send datagram: ENOENT/);
  });
});

describe("the systemd unit", () => {
  it("is rated 2.0 or better by systemd-analyze", function () {
    if (!existsSync("/usr/bin/systemd-analyze")) skip(this, "needs systemd-analyze");
    const out = execFileSync("systemd-analyze", ["security", "--offline=true", UNIT], { encoding: "utf8" });
    const level = Number(/exposure level for wirespan\.service: (\d+\.\d+)/.exec(out)?.[1]);
    assert.ok(level > 0 && level <= 2.0, out.slice(-200));
  });
});
