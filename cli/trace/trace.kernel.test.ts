// `wirespan trace` in use: the options that all tools share, on real connections, and a table on a terminal.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { AGENT_FLAGS, MAIN, startAgent } from "../../test/support/agent.ts";
import { Cgroup } from "../../test/support/cgroup.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { needsTmux, Terminal } from "../../test/support/terminal.ts";
import { run } from "../../test/support/workload.ts";

const main = fileURLToPath(new URL(`../../${MAIN}`, import.meta.url));

describe("trace", () => {
  let netns: Netns;
  before(async function () {
    needsRoot(this);
    netns = await Netns.create();
  });
  after(() => netns?.[Symbol.asyncDispose]());

  /** Number of rows with these options, out of 3 connections to port 7201 and 2 refused by port 9. */
  async function rowsOf(tool: string, ...options: readonly string[]): Promise<number> {
    await using agent = await startAgent(["trace", tool, "--json", "--set", "log.level=error", ...options]);
    await run(netns, "clientCloses", { count: 3, port: 7201 });
    await run(netns, "attempt", { count: 2, port: 9 });
    const { stdout, code } = await agent.stop();
    assert.equal(code, 0);
    return stdout.filter((line) => line.startsWith("{")).length;
  }

  const own = () => ["--netns", netns.name];

  it("filters by network namespace (name or inode), and by address and ports of either end", async () => {
    assert.equal(await rowsOf("tcplife", ...own()), 8);
    assert.equal(await rowsOf("tcplife", "--netns", `${inodeOf(netns)}`, "--local-port", "7201"), 3);
    assert.equal(await rowsOf("tcplife", ...own(), "--address", "127.0.0.0/8", "--remote-port", "9"), 2);
    assert.equal(await rowsOf("tcplife", ...own(), "--address", "10.0.0.0/8"), 0);
  });

  it("filters by direction, family, command, user and failure", async () => {
    assert.equal(await rowsOf("tcplife", ...own(), "--direction", "inbound"), 3);
    assert.equal(await rowsOf("tcplife", ...own(), "--comm", "pc*", "--user", "root", "--family", "ipv4"), 5);
    assert.equal(await rowsOf("tcpconnect", ...own(), "--failed"), 2);
    assert.equal(await rowsOf("tcpretrans", ...own(), "--direction", "outbound"), 0);
  });

  it("filters by interface if rows are packets", async () => {
    const drops = ["--netns", netns.name, "--interface"];
    assert.equal(await rowsOf("tcpdrop", ...drops, "lo"), 2);
  });

  it("filters by container, given the beginning of its id", async function () {
    const id = "0123456789abcdef".repeat(4);
    await using parent = Cgroup.create(this);
    await using cgroup = parent.child(`docker-${id}.scope`);
    await using agent = await startAgent(["trace", "tcplife", "--json", "--container", id.slice(0, 12)]);
    await run(netns, "clientCloses", { count: 2, port: 7201, cgroup });
    await run(netns, "clientCloses", { count: 1, port: 7202 });
    const { stdout } = await agent.stop();
    assert.equal(stdout.length, 4);
  });

  it("fits its columns to their content on a terminal, and prints no JSON", async function () {
    await needsTmux(this);
    const words = [process.execPath, ...AGENT_FLAGS, main, "trace", "tcplife", "--netns", netns.name];
    await using terminal = await Terminal.open(words.join(" "), 160, 30);
    await terminal.until(/PID +COMM/);
    await netns.ip("address", "replace", "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1/128", "dev", "lo");
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await run(netns, "clientCloses", { address: "127.0.0.1", port: 7201 });
    await run(netns, "clientCloses", { address: "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1", port: 7202 });
    await run(netns, "clientCloses", { address: "127.0.0.1", port: 7203 });
    const screen = await terminal.until(/ 7203 [\s\S]* 7203 /);
    assert.doesNotMatch(screen.join("\n"), /"ready"/);
    const headers = screen.filter((line) => line.startsWith("PID"));
    assert.ok(headers.length >= 2, "a header where a column grew");
    const last = screen.findLastIndex((line) => line.startsWith("PID"));
    const at = screen[last]!.indexOf("RADDR");
    const after = screen.slice(last + 1).filter((line) => /7203/.test(line));
    assert.ok(after.length > 0);
    for (const line of after) assert.match(line.slice(at), /^127\.0\.0\.1 /, line);
  });
});
