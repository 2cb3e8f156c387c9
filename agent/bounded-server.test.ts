import assert from "node:assert/strict";
import { createServer, Socket } from "node:net";
import { boundConnections } from "./bounded-server.ts";

describe("connections of a server", () => {
  it("never exceed the limit, even if many arrive at once", async () => {
    const server = createServer();
    const takeOff = boundConnections(server, 3, 60_000);
    const connections = Array.from({ length: 10 }, () => new Socket());
    for (const connection of connections) server.emit("connection", connection);
    const open = connections.filter(({ destroyed }) => !destroyed);
    assert.deepEqual(open, connections.slice(7), "the latest stay");
    await Promise.all(open.map((connection) => closed(connection, takeOff)));
  });

  it("end when their time is over, except those whose time limit was lifted", async () => {
    const server = createServer();
    const takeOff = boundConnections(server, 3, 20);
    const [limited, unlimited] = [new Socket(), new Socket()];
    for (const connection of [unlimited, limited]) server.emit("connection", connection);
    takeOff(unlimited);
    await new Promise((resolve) => limited.once("close", resolve));
    assert.equal(unlimited.destroyed, false);
    await closed(unlimited, takeOff);
  });
});

function closed(connection: Socket, takeOff: (connection: Socket) => void): Promise<void> {
  takeOff(connection);
  return new Promise((resolve) => connection.once("close", () => resolve()).destroy());
}
