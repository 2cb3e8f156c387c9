import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";

/** Connects, and when it is told to, has a child connect, which ends at once. */
const forking = `
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
def connect():
    with socket.create_connection(listener.getsockname()) as s:
        s.send(b"x")
connect()
sys.stdin.readline()
child = os.fork()
if child == 0:
    connect()
    os._exit(0)
os.waitpid(child, 0)
open(sys.argv[1], "w").close()
sys.stdin.readline()
`;

describe("a process that was forked and has ended before it is read", () => {
  before(function () {
    needsRoot(this);
  });

  it("has the names of its parent, which runs the same program", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-forked-"));
    await using netns = await Netns.create();
    await using watched = await watch(["tcplife"], {
      "filter.include.netns": String(inodeOf(netns)),
      "filter.include.direction": "outbound",
    });
    const env = { PATH: process.env.PATH, OTEL_SERVICE_NAME: "cart" };
    const child = netns.spawn("python3", ["-c", forking, join(folder, "done")], {
      env,
      stdio: ["pipe", "inherit", "inherit"],
    });
    try {
      await watched.until("the parent's span", () => watched.spans.length === 1);
      child.stdin!.write("\n");
      const sleeping = new Int32Array(new SharedArrayBuffer(4));
      // Without returning to the event loop, so that nothing is read meanwhile.
      setImmediate(() => {
        for (let i = 0; i < 500 && !existsSync(join(folder, "done")); i++) Atomics.wait(sleeping, 0, 0, 20);
      });
      await watched.until("the child's span", () => watched.spans.length === 2);
      assert.ok(existsSync(join(folder, "done")), "the child was to end first");
      const [parents, childs] = watched.spans;
      assert.notEqual(childs!.attributes["process.pid"], parents!.attributes["process.pid"]);
      assert.equal(childs!.resource.attributes["service.name"], "cart");
      assert.equal(childs!.resource, parents!.resource);
    } finally {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
    }
  });
});
