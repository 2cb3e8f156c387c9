// What `wirespan trace` reports about operands that do not exist on this host or have no meaning for a tool, and its
// exit code.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { environment } from "../support/environment.ts";

const main = join(import.meta.dirname, "../../cli/main.ts");
const invalid = (line: string) => `wirespan: The configuration has an error; nothing was started.\n${line}\n`;

/** The arguments after `trace`, and all of standard error. */
const mistakes: readonly (readonly [words: string, says: string | RegExp])[] = [
  ["tcplife --pid 4194399", "wirespan: --pid: there is no process 4194399 on this host.\n"],
  ["tcptracer -p 4194399", "wirespan: --pid: there is no process 4194399 on this host.\n"],
  [
    "tcplife --user nosuchuser",
    "wirespan: --user: there is no user nosuchuser on this host; a number is used as it is.\n",
  ],
  ["tcplife --netns nosuchns", /^wirespan: --netns: there is no network namespace nosuchns; .+\n$/],
  [
    "tcplife --netns 4194300",
    "wirespan: --netns: there is no process 4194300 on this host, and no network namespace has so small an inode.\n",
  ],
  [
    "tcptop --cgroup /nosuch.slice",
    /^wirespan: filter: no cgroup \/.*\/nosuch\.slice; name one by its path below \/\S+\n$/,
  ],
  [
    "tcplife --container 0123456789ab",
    /^wirespan: --container: no container whose id begins with 0123456789ab has a cgroup below \/\S+\.\n$/,
  ],
  [
    "tcplife --container web",
    'wirespan: --container: a container is named by its id or its first 12 characters or more, not "web".\n',
  ],
  [
    "netqtop -n lo9",
    "wirespan: --name: no network namespace of this host has an interface lo9; did you mean lo?\n",
  ],
  [
    "tcpdrop --interface nosuchlink",
    "wirespan: --interface: no network namespace of this host has an interface nosuchlink; `ip link` lists those of this one.\n",
  ],
  [
    "tcplife --interface lo",
    "wirespan: tcplife has no --interface: a connection is not bound to an interface.\n",
  ],
  [
    "softirqs --pid 1",
    "wirespan: softirqs has no --pid: softirqs belong to a CPU, not to a process, connection or interface.\n",
  ],
  ["tcpdrop --failed", "wirespan: tcpdrop has no --failed: every row is a packet that was dropped.\n"],
  ["solisten --remote-port 80", "wirespan: solisten has no --remote-port: a listener has no peer.\n"],
  [
    "tcplife --local-port 99999",
    invalid(
      '--local-port: plugins.tcplife.filter.include.localPort: expected a port or a range of ports (22, 8000-8999), got "99999"',
    ),
  ],
  [
    "tcplife --address 10.0.0",
    invalid(
      '--address: plugins.tcplife.filter.include.address: expected an address or a CIDR (10.0.0.0/8, fd00::/8), got "10.0.0"',
    ),
  ],
];

describe("mistakes in trace options", () => {
  for (const [words, says] of mistakes) {
    it(`trace ${words}`, () => {
      const { status, stderr, stdout } = spawnSync(process.execPath, [main, "trace", ...words.split(" ")], {
        encoding: "utf8",
        env: environment,
      });
      if (typeof says === "string") assert.equal(stderr, says);
      else assert.match(stderr, says);
      assert.equal(stdout, "");
      assert.equal(status, 2);
    });
  }
});
