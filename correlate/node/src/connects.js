// Attempts to connect, including those that fail: they have no slot, so the header's record names their context.
import http from "node:http";
import net from "node:net";
import { active } from "./active.js";
import { guarded, wrap } from "./guard.js";
import { setConnecting } from "./table.js";
import { fromHeader } from "./traceparent.js";

const FOR = Symbol("wirespan.connect");
const REQUEST = Symbol("wirespan.request");

/**
 * @typedef {{ text: string | undefined }} Waiting whose request waits for a connection
 * @typedef {net.Socket & { [FOR]?: { waiting: Waiting | undefined } }} Connecting
 * @typedef {http.ClientRequest & { [REQUEST]?: Waiting }} Request
 */

/** The request for which a socket is being created; undefined: only the active span is known. @type {Waiting | undefined} */
let maker;

/** Called from here on for each socket that starts to connect. @type {((socket: net.Socket) => void)[]} */
const observers = [];

/** @param {(socket: net.Socket) => void} observer */
export function onConnecting(observer) {
  observers.push(observer);
}

/**
 * Sockets that are created before the running code ends, or before `forget`, belong to this context.
 * @param {Waiting} waiting
 */
export function connectFor(waiting) {
  maker = waiting;
}

export function forget() {
  maker = undefined;
}

export function watchConnects() {
  wrap(net.Socket.prototype, "connect", (original) => {
    return function connect(...args) {
      guarded(starts, /** @type {Connecting} */ (this));
      return original.apply(this, args);
    };
  });
  const agent = http.Agent.prototype;
  wrap(agent, "addRequest", (original) => {
    return function addRequest(...args) {
      guarded(remember, /** @type {Request} */ (args[0]));
      return original.apply(this, args);
    };
  });
  // An HTTP agent with a limit creates a socket for one request when another one ends, in the context of the latter.
  wrap(agent, "createSocket", (original) => {
    return function createSocket(...args) {
      const before = maker;
      maker = /** @type {Request | undefined} */ (args[0])?.[REQUEST];
      try {
        return original.apply(this, args);
      } finally {
        maker = before;
      }
    };
  });
}

/** @param {Request} request */
function remember(request) {
  request[REQUEST] = { text: fromHeader(request.getHeader("traceparent")) ?? active() };
}

/** @param {Connecting} socket */
function starts(socket) {
  const listening = socket[FOR] !== undefined;
  socket[FOR] = { waiting: maker };
  // The addresses of a host are tried one after the other, with an event for each.
  if (!listening) socket.on("connectionAttempt", () => guarded(attempt, socket));
  for (const observer of observers) guarded(observer, socket);
}

/** @param {Connecting} socket */
function attempt(socket) {
  const waiting = socket[FOR]?.waiting;
  const text = waiting ? waiting.text : active();
  setConnecting(text);
  // connect() is called before the running code ends.
  if (text !== undefined) process.nextTick(setConnecting, undefined);
}
