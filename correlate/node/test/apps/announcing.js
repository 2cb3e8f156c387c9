// announcing.js: imports fast.js and then register.js itself, and observes the announcements of the table. Prints how
// many there were before and after the connection was cut, and whether all came from the table's own memory.
import net from "node:net";

/** @typedef {{ writeBuffer(request: unknown, chunk: Uint8Array): unknown }} Handle */

/** @type {net.Socket[]} */
const sockets = [];
/** @type {Uint8Array[]} */
const sent = [];
let onSent = () => {};

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (/** @type {unknown[]} */ ...args) {
  sockets.push(this);
  this.prependOnceListener("connect", () => {
    const { _handle } = /** @type {{ _handle: Handle }} */ (/** @type {unknown} */ (this));
    const { writeBuffer } = _handle;
    _handle.writeBuffer = (request, chunk) => {
      sent.push(chunk);
      onSent();
      return writeBuffer.call(_handle, request, chunk);
    };
  });
  return Reflect.apply(connect, this, args);
};

const register = await import("../../register.js");
const { table } = await import("../../src/table.js");
const first = sent.length;

/** @param {number} count */
async function until(count) {
  while (sent.length < count) {
    await new Promise((resolve) => {
      onSent = () => resolve(undefined);
    });
  }
}

const alive = setInterval(() => {}, 1000);
await until(first + 3);
sockets[0]?.destroy();
const before = sent.length;
await until(before + 3);
console.log(
  JSON.stringify({
    first,
    again: sockets.length > 1,
    own: sent.every(
      (chunk) => chunk.buffer === table.buffer && chunk.byteOffset === 0 && chunk.length === 64,
    ),
    announcements: register.status().announcements >= 6,
    failures: register.status().failures,
  }),
);
// Nothing in the package keeps the process alive.
clearInterval(alive);
