// node-redis 6: commands are published when they are created, and written together a moment later. So a write contains
// all commands of that client since its last write.
import { AsyncLocalStorage } from "node:async_hooks";
import diagnostics from "node:diagnostics_channel";
import { active } from "./active.js";
import { onConnecting } from "./connects.js";
import { guarded } from "./guard.js";
import { bindWrites } from "./writes.js";

/**
 * @typedef {object} Client
 * @property {import("node:net").Socket | undefined} socket
 * @property {Map<object, string | undefined>} waiting the contexts of commands that have not been written yet
 * @property {boolean} partly whether some of them were
 * @typedef {{ clientId?: string, reason?: string }} Message
 */

/** @type {Map<string, Client>} */
const clients = new Map();
/** The client that is connecting, in its own code and in what that code starts. @type {AsyncLocalStorage<Client | undefined>} */
const connecting = new AsyncLocalStorage();

export function watchNodeRedis() {
  diagnostics
    .channel("tracing:node-redis:connect:start")
    .bindStore(connecting, (message) => guarded(clientOf, message));
  onConnecting(adopt);
  for (const what of ["command", "batch"]) {
    diagnostics.subscribe(`tracing:node-redis:${what}:start`, (message) => guarded(onCommand, message));
    // A command that was rejected or abandoned is not written.
    diagnostics.subscribe(`tracing:node-redis:${what}:error`, (message) => guarded(onError, message));
  }
  diagnostics.subscribe("node-redis:connection:closed", (message) => guarded(onClosed, message));
}

/** @param {unknown} message */
function clientOf(message) {
  const { clientId } = /** @type {Message} */ (message);
  if (clientId === undefined) return undefined;
  const known = clients.get(clientId) ?? { socket: undefined, waiting: new Map(), partly: false };
  clients.set(clientId, known);
  return known;
}

/**
 * The socket that a client creates while it has none. Code that its connect() triggers, such as event listeners,
 * may create others, but by then the client has its socket.
 * @param {import("node:net").Socket} socket
 */
function adopt(socket) {
  const client = connecting.getStore();
  if (!client || (client.socket && !client.socket.destroyed)) return;
  client.socket = socket;
  bindWrites(socket, () => written(client, socket));
}

/** @param {unknown} message */
function onCommand(message) {
  const client = clients.get(/** @type {Message} */ (message).clientId ?? "");
  client?.waiting.set(/** @type {object} */ (message), active());
}

/** @param {unknown} message */
function onError(message) {
  clients
    .get(/** @type {Message} */ (message).clientId ?? "")
    ?.waiting.delete(/** @type {object} */ (message));
}

/** @param {unknown} message */
function onClosed(message) {
  const { clientId, reason } = /** @type {Message} */ (message);
  // After an error the client connects again.
  if (reason !== "error") clients.delete(clientId ?? "");
}

/**
 * The contexts of a write to the client's socket. A full socket accepts an unknown part of the commands.
 * @param {Client} client
 * @param {import("node:net").Socket} socket
 * @returns {(string | undefined)[]}
 */
function written(client, socket) {
  const texts = [...new Set(client.waiting.values())];
  if (socket.writableNeedDrain && texts.length > 1) {
    client.partly = true;
    return [];
  }
  const unsure = client.partly;
  client.partly = false;
  client.waiting.clear();
  return unsure ? [] : texts;
}
