// HTTP/2: streams share a socket, so a stream's context is written again if another stream has written in between.
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";
import { guarded, wrap } from "./guard.js";
import { label, relabel } from "./label.js";
import { fromHeader } from "./traceparent.js";
import { own } from "./writes.js";

const CONTEXT = Symbol("wirespan.stream");

/** @typedef {http2.Http2Stream & { [CONTEXT]?: { text: string | undefined } }} Stream */

export function watchHttp2() {
  // The classes are not exported, so their prototypes are found with the first session and the first stream.
  wrap(http2, "connect", (original) => {
    return function connect(...args) {
      const session = original.apply(this, args);
      guarded(wrapSession, /** @type {object} */ (session));
      return session;
    };
  });
  for (const name of ["createServer", "createSecureServer"]) {
    wrap(http2, name, (original) => {
      return function create(...args) {
        const server = /** @type {http2.Http2Server} */ (original.apply(this, args));
        guarded(() =>
          server.prependListener("stream", (stream, headers) => guarded(onStream, stream, headers)),
        );
        return server;
      };
    });
  }
  syncBuiltinESMExports();
}

/** @param {object} session */
function wrapSession(session) {
  wrap(owner(session, "request"), "request", (original) => {
    return function request(...args) {
      const stream = /** @type {http2.ClientHttp2Stream} */ (original.apply(this, args));
      // Node sends the head after the running code has ended.
      guarded(onClientStream, stream);
      return stream;
    };
  });
}

/** @param {http2.ClientHttp2Stream} stream */
function onClientStream(stream) {
  wrapData(stream);
  name(stream, stream.sentHeaders?.traceparent);
  say(stream, label);
}

/** @param {http2.ServerHttp2Stream} stream @param {http2.IncomingHttpHeaders} headers */
function onStream(stream, headers) {
  wrapData(stream);
  for (const method of ["respond", "respondWithFD", "respondWithFile", "additionalHeaders", "pushStream"]) {
    wrap(owner(stream, method), method, (original) => {
      return function respond(...args) {
        guarded(say, /** @type {Stream} */ (this), method === "respond" ? label : relabel);
        return original.apply(this, args);
      };
    });
  }
  name(stream, headers.traceparent);
}

/** @param {Stream} stream */
function wrapData(stream) {
  for (const method of ["_write", "_writev", "sendTrailers"]) {
    wrap(owner(stream, method), method, (original) => {
      return function data(...args) {
        if (method !== "sendTrailers" || !empty(args[0])) {
          guarded(say, /** @type {Stream} */ (this), relabel);
        }
        return original.apply(this, args);
      };
    });
  }
}

/**
 * The compatibility API ends each response with empty trailers. Such a frame of 9 bytes is not worth a record: the table
 * has room for seven between two sends.
 * @param {unknown} trailers
 */
function empty(trailers) {
  return typeof trailers === "object" && Object.keys(trailers ?? {}).length === 0;
}

/** @param {Stream} stream @param {unknown} header */
function name(stream, header) {
  stream[CONTEXT] = { text: fromHeader(header) };
}

/** @param {Stream} stream @param {typeof label} how */
function say(stream, how) {
  const context = stream[CONTEXT];
  const session = stream.session;
  if (!context || !session || session.destroyed) return;
  own(session.socket);
  how(session.socket, context.text);
}

/**
 * The prototype that has the method itself.
 * @param {object} object
 * @param {string} method
 */
function owner(object, method) {
  for (let at = Object.getPrototypeOf(object); at; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
