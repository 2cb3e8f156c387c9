// Sends requests from an application with OpenTelemetry's SDK, each over a new connection. Arguments: ADDRESS PORT COUNT.
import { once } from "node:events";
import http from "node:http";
import { calling, flush, traceHeaders } from "../../examples/shop/telemetry.js";

const [host, port, count] = process.argv.slice(2);
for (let i = 0; i < Number(count); i++) {
  await calling("request", {}, async () => {
    const request = http.get({ host, port, agent: false, headers: traceHeaders() });
    const [answer] = await once(request, "response");
    answer.resume();
    await once(answer, "end");
  });
}
await flush();
