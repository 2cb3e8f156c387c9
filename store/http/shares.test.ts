import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Served } from "../../test/support/page-server.ts";
import { skip } from "../../test/support/skip.ts";
import { until } from "../../test/support/until.ts";
import { SOCKETS } from "./shares.ts";

const NOBODY = 65_534;

/** Keeps more connections open than allowed, and prints on request how many are open. */
const HOLD = `
const open = new Set();
const hold = () => {
  const socket = require("node:net").connect(Number(process.argv[1]), "127.0.0.1").resume();
  socket.on("connect", () => open.add(socket)).on("error", () => {}).on("close", () => {
    open.delete(socket);
    setTimeout(hold, 100);
  });
};
for (let i = 0; i < 100; i++) hold();
process.stdin.on("data", () => console.log(open.size));
`;

describe("connections of the page's clients", () => {
  it("are divided among users: a hundred connections of another user leave room", async function () {
    if (process.getuid!() !== 0) skip(this, "needs root, to connect as another user");
    using served = await Served.start({ users: [] });
    const holder = spawn(process.execPath, ["-e", HOLD, String(served.port)], {
      ...{ uid: NOBODY, cwd: "/" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    using _holder = { [Symbol.dispose]: () => holder.kill() };
    const count = async () => {
      holder.stdin.write("?");
      return Number(String((await once(holder.stdout, "data"))[0]));
    };
    await until("another user's connections", async () => (await count()) >= SOCKETS);
    // As many as a browser's, at once.
    const all = await Promise.all(Array.from({ length: 8 }, () => served.ask("/api/v1/meta")));
    assert.deepEqual(
      all.map(({ status }) => status),
      all.map(() => 200),
    );
    const mine: Socket[] = [];
    for (let i = 0; i < SOCKETS; i++)
      mine.push(
        connect(served.port, "127.0.0.1")
          .resume()
          .on("error", () => {}),
      );
    const open = () => mine.filter(({ closed }) => !closed).length;
    await until("those that are too many to be closed", () => open() <= SOCKETS / 2 + 1);
    // Those of the requests may still be open.
    const least = SOCKETS / 2 - 1 - all.length;
    assert.ok(open() >= least, `${open()} of root's are open`);
    assert.ok((await count()) >= SOCKETS / 2 - 1, "and half of them are nobody's");
    for (const socket of mine) socket.destroy();
  });
});
