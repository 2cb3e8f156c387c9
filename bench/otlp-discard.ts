// otlp-discard.ts [MILLISECONDS]: an OTLP gRPC backend that accepts and discards everything, and answers after that
// time; it sends the port to its parent.
import { Server, ServerCredentials } from "@grpc/grpc-js";

const latency = Number(process.argv[2] ?? 0);
const raw = (bytes: Buffer): Buffer => bytes;
const server = new Server({ "grpc.max_receive_message_length": -1 });
for (const signal of ["trace", "metrics", "logs"]) {
  const service = `${signal[0]!.toUpperCase()}${signal.slice(1)}Service`;
  server.addService(
    {
      Export: {
        path: `/opentelemetry.proto.collector.${signal}.v1.${service}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Export(_call: unknown, respond: (error: null, response: Buffer) => void) {
        if (latency > 0) setTimeout(respond, latency, null, Buffer.alloc(0));
        else respond(null, Buffer.alloc(0));
      },
    },
  );
}
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(port);
});
process.on("disconnect", () => process.exit());
