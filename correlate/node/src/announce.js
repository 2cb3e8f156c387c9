// Announces this thread's table to the kernel: sends the table's header from the table itself over a loopback
// connection to this thread.
import net from "node:net";
import { failures, guarded } from "./guard.js";
import { header } from "./table.js";
import { own } from "./writes.js";

const AGAIN = 10_000;
/** Milliseconds that the application's start may wait for the first announcement. */
const PATIENCE = 500;

/** @type {net.Socket | undefined} */
let open;

/** How often the table has been announced. */
export const announced = { count: 0 };

/**
 * Announces the table now and every 10 seconds, for as long as the process lives for other reasons. Settles when
 * the first announcement has been sent or has failed; never rejects.
 */
export async function announce() {
  setInterval(() => guarded(repeat), AGAIN).unref();
  /** @type {NodeJS.Timeout | undefined} */
  let patience;
  const late = new Promise((resolve) => {
    patience = setTimeout(resolve, PATIENCE);
  });
  await Promise.race([connect().catch(note), late]);
  clearTimeout(patience);
}

function repeat() {
  if (open) send(open);
  else connect().catch(note);
}

/** @param {unknown} error */
function note(error) {
  failures.last = error;
}

async function connect() {
  const server = net.createServer({ pauseOnConnect: true });
  try {
    // Exclusive, because in a cluster's worker the primary would listen, and any worker might accept.
    await new Promise((resolve, reject) => {
      server
        .once("error", reject)
        .listen({ port: 0, host: "127.0.0.1", exclusive: true }, () => resolve(undefined));
    });
    const { port } = /** @type {net.AddressInfo} */ (server.address());
    const ours = net.connect({ port, host: "127.0.0.1" });
    own(ours);
    await Promise.all([accepted(server, ours), connected(ours)]);
  } finally {
    server.close();
  }
}

/** @param {net.Socket} ours */
function connected(ours) {
  return new Promise((resolve, reject) => {
    ours.once("error", reject);
    ours.once("close", () => {
      if (open === ours) open = undefined;
      reject(new Error("the announcing connection was closed"));
    });
    ours.once("connect", () => {
      ours.resume().unref();
      open = ours;
      send(ours, () => resolve(undefined));
    });
  });
}

/**
 * Any process on this host may connect to the listener: other connections are closed.
 * @param {net.Server} server
 * @param {net.Socket} ours
 */
function accepted(server, ours) {
  return new Promise((resolve, reject) => {
    server.on("connection", (socket) => {
      socket.on("error", () => socket.destroy());
      if (socket.remotePort !== ours.localPort) {
        socket.destroy();
        return;
      }
      own(socket);
      socket.resume().unref();
      resolve(undefined);
    });
    ours.once("close", () => reject(new Error("the announcing connection was closed")));
  });
}

/** @param {net.Socket} socket @param {() => void} [done] */
function send(socket, done) {
  socket.write(header, () => {
    announced.count++;
    done?.();
  });
}
