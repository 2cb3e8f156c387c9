// fetch, and the package undici: both publish on the same channels.
import diagnostics from "node:diagnostics_channel";
import { active } from "./active.js";
import { connectFor, forget } from "./connects.js";
import { guarded } from "./guard.js";
import { label } from "./label.js";
import { fromHeader } from "./traceparent.js";
import { own } from "./writes.js";

const LINE = /\r\ntraceparent:[ \t]*([^\r\n]*?)[ \t]*\r\n/i;

/** @typedef {{ headers?: string | unknown[] }} Request */

/** The request that was created in the code that is still running. @type {Request | undefined} */
let made;

export function watchUndici() {
  diagnostics.subscribe("undici:client:sendHeaders", (message) => guarded(onHead, message));
  diagnostics.subscribe("undici:request:create", (message) => guarded(onRequest, message));
  diagnostics.subscribe("undici:client:beforeConnect", () => guarded(onConnect));
}

/** @param {unknown} message */
function onHead(message) {
  const { headers, socket } = /** @type {{ headers: string, socket: import("node:net").Socket }} */ (message);
  own(socket);
  label(socket, fromHeader(LINE.exec(headers)?.[1]));
}

/** @param {unknown} message */
function onRequest(message) {
  made = /** @type {{ request: Request }} */ (message).request;
  queueMicrotask(() => {
    made = undefined;
  });
}

/** A client connects for the request that was just created, or for one in its queue; which one is not known. */
function onConnect() {
  connectFor({ text: made && (headerOf(made) ?? active()) });
  queueMicrotask(forget);
}

/** @param {Request} request */
function headerOf({ headers }) {
  if (typeof headers === "string") return fromHeader(LINE.exec(`\r\n${headers}\r\n`)?.[1]);
  if (!Array.isArray(headers)) return undefined;
  const at = headers.findIndex((name, i) => i % 2 === 0 && String(name).toLowerCase() === "traceparent");
  return at < 0 ? undefined : fromHeader(headers[at + 1]);
}
