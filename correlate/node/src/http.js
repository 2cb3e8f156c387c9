import diagnostics from "node:diagnostics_channel";
import http from "node:http";
import { guarded, wrap } from "./guard.js";
import { label } from "./label.js";
import { fromHeader } from "./traceparent.js";
import { own } from "./writes.js";

/** @typedef {import("node:net").Socket} Socket */

export function watchHttp() {
  // At this point a request has a socket, and none of its bytes has been written. Node's own channel
  // http.client.request.start comes after the head.
  wrap(http.ClientRequest.prototype, "onSocket", (original) => {
    return function onSocket(...args) {
      guarded(beforeRequest, /** @type {http.ClientRequest} */ (this));
      return original.apply(this, args);
    };
  });
  diagnostics.subscribe("http.server.request.start", (message) => guarded(onRequest, message));
}

/** @param {http.ClientRequest} request */
function beforeRequest(request) {
  request.prependOnceListener("socket", (socket) => {
    own(socket);
    label(
      socket,
      guarded(() => fromHeader(request.getHeader("traceparent"))),
    );
  });
}

/** @param {unknown} message */
function onRequest(message) {
  const { request, response, socket } =
    /** @type {{ request: http.IncomingMessage, response: http.ServerResponse, socket: Socket }} */ (message);
  const text = fromHeader(request.headers.traceparent);
  own(socket);
  // The response to a pipelined request gets the socket when the previous responses are complete.
  response.prependOnceListener("socket", (given) => label(/** @type {Socket} */ (given), text));
}
