// Answers requests, and prints for each its context and the answer's bytes of the connection. First prints
// `{"port":N}`. Arguments: ADDRESS [BODY: maximum bytes of an answer]. Ends when its standard input is closed.
import { randomBytes } from "node:crypto";
import http from "node:http";

const [address, body = "0"] = process.argv.slice(2);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

let open = 0;
let ending = false;
const endIfIdle = () => {
  if (ending && open === 0) process.exit(0);
};

const server = http.createServer((request, response) => {
  const { socket, headers } = request;
  const from = socket.bytesWritten;
  open++;
  request.resume().on("end", () => {
    response.end(randomBytes(Math.floor(Math.random() * Number(body))), () => {
      say({ traceparent: headers.traceparent, from, to: socket.bytesWritten, peerPort: socket.remotePort });
      open--;
      endIfIdle();
    });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, address, () => say({ port: server.address().port }));
process.stdin.resume().on("end", () => {
  ending = true;
  endIfIdle();
});
