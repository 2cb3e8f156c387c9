// Makes gRPC calls that are cancelled at any moment. Arguments: the endpoint and the number of seconds. Prints the
// number of calls.
import { type ClientHttp2Session, connect } from "node:http2";
import { Call } from "../../exporters/otlp/deliver/grpc-call.ts";

const [endpoint = "", seconds] = process.argv.slice(2);
const end = Date.now() + Number(seconds) * 1000;
let calls = 0;

let session = open();

/** A server may close a session on which many calls are cancelled. */
function open(): ClientHttp2Session {
  return connect(endpoint, { settings: { enablePush: false } }).on("error", () => {});
}

async function callUntilTheEnd(): Promise<void> {
  while (Date.now() < end) {
    const ms = 1 + Math.random() * 12;
    const headers = {
      ":method": "POST",
      ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      "content-type": "application/grpc",
      "grpc-timeout": `${Math.ceil(ms)}m`,
      te: "trailers",
    };
    // Around the first window of a stream, and beyond it.
    const size = Math.random() < 0.5 ? 60_000 + Math.random() * 20_000 : Math.random() * 300_000;
    if (session.closed || session.destroyed) session = open();
    const call = new Call(session, headers, Buffer.alloc(size, 0x10), false);
    const timer = setTimeout(() => void call.cancel(new Error("late"), 1000), ms * (0.7 + Math.random()));
    await call.reply;
    clearTimeout(timer);
    calls++;
  }
}

await Promise.all([1, 2, 3, 4].map(callUntilTheEnd));
console.log(calls);
session.destroy();
