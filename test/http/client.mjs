// Sends requests with different contexts in sequence over one connection; prints each as JSON, with its bytes of the
// connection. Arguments: ADDRESS PORT OPTIONS (AskOptions of test/support/http.ts, as JSON).
import { randomBytes } from "node:crypto";
import http from "node:http";

const [address, port, options] = process.argv.slice(2);
const { count, body = 0, exact = false, cookie = 0, flags = "01" } = JSON.parse(options);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function ask(i) {
  const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-${flags}`;
  const bytes = randomBytes(exact ? body : Math.floor(Math.random() * body));
  const headers = { ...(cookie && { cookie: "c".repeat(cookie + i) }), traceparent };
  return new Promise((resolve, reject) => {
    let from;
    let socket;
    const request = http.request(
      { host: address, port, agent, method: body ? "POST" : "GET", headers },
      (answer) => {
        answer.resume().on("end", () => {
          const { localPort } = socket;
          process.stdout.write(`${JSON.stringify({ traceparent, from, to: socket.bytesWritten, localPort })}\n`);
          resolve();
        });
      },
    );
    request.on("socket", (s) => {
      socket = s;
      from = s.connecting ? 0 : s.bytesWritten;
    });
    request.on("error", reject);
    request.end(bytes);
  });
}

for (let i = 0; i < count; i++) await ask(i);
agent.destroy();
