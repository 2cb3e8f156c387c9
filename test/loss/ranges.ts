// Imported into an HTTP program: appends to the file `RANGES` one line of JSON for each request and each response, with
// the bytes of the connection that carried it (Range of test/support/loss.ts).
import diagnostics from "node:diagnostics_channel";
import { appendFileSync } from "node:fs";
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Range } from "../support/loss.ts";

const file = process.env.RANGES!;

/** For a TLS socket, whose own count is of encrypted data. */
interface Encrypted {
  readonly _handle?: { readonly _parent?: { readonly bytesWritten: number } } | null;
}

/** Bytes of the TCP connection so far. */
function written(socket: Socket & Encrypted): number {
  return socket._handle?._parent?.bytesWritten ?? socket.bytesWritten;
}

function keep(range: Range): void {
  appendFileSync(file, `${JSON.stringify(range)}\n`);
}

diagnostics.subscribe("http.client.request.created", (message) => {
  const { request } = message as { readonly request: ClientRequest };
  const traceparent = request.getHeader("traceparent");
  if (typeof traceparent !== "string") return;
  request.prependOnceListener("socket", (socket) => {
    const from = socket.connecting ? 0 : written(socket);
    const { localPort = 0, remotePort = 0 } = socket;
    let ports = { port: localPort, service: remotePort };
    // All bytes that a failed request leaves on its connection belong to it.
    let to = Number.MAX_SAFE_INTEGER;
    request.once("response", (answer) => {
      ports = { port: socket.localPort ?? 0, service: socket.remotePort ?? 0 };
      answer.once("end", () => {
        to = written(socket);
      });
    });
    request.once("close", () => keep({ side: "client", ...ports, traceparent, from, to }));
  });
});

diagnostics.subscribe("http.server.request.start", (message) => {
  const { request, response, socket } = message as {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly socket: Socket;
  };
  const { traceparent } = request.headers;
  if (typeof traceparent !== "string") return;
  const from = written(socket);
  const { localPort: service = 0, remotePort: port = 0 } = socket;
  response.once("finish", () =>
    keep({ side: "server", port, service, traceparent, from, to: written(socket) }),
  );
});
