// Shows a recording on a page, or sends it to a backend. Tests: test/system/viewer.kernel.test.ts.
import { requestShutdown } from "../agent/life.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Store } from "../store/http/api.ts";
import { otlpLines } from "../store/http/export.ts";
import { PageServer } from "../store/http/server.ts";
import { openRecording } from "../store/recording.ts";

/** Spans and events of one request. */
const BATCH = 512;

function opened(file: string): Store & Disposable {
  try {
    return openRecording(file);
  } catch (cause) {
    throw new WirespanError("USAGE", `${file} cannot be shown: ${(cause as Error).message}`, { cause });
  }
}

/** Serves it until SIGINT or SIGTERM. */
export async function showRecording(file: string, address: string): Promise<void> {
  using store = opened(file);
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(at + 1));
  const users = [process.getuid!()];
  const server = new PageServer(store, { users, token: undefined, isOpen: false });
  let actual: number;
  try {
    actual = await server.listen(host, port);
  } catch (cause) {
    throw new WirespanError("USAGE", `--address ${address}: ${(cause as Error).message}`, { cause });
  }
  process.stdout.write(`http://${address.slice(0, at)}:${actual}/ shows ${file}; Ctrl-C ends it.\n`);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve());
  await promise;
  server.close();
  requestShutdown();
}

/** Sends it to `/v1/traces` and `/v1/logs` of an OTLP/HTTP endpoint, as JSON. */
export async function sendRecording(file: string, endpoint: string): Promise<void> {
  if (!URL.canParse(endpoint))
    throw new WirespanError(
      "USAGE",
      `--send requires a URL such as http://localhost:4318, not "${endpoint}".`,
    );
  using store = opened(file);
  const { scan } = store;
  const sent = { spans: 0, events: 0 };
  for (const signal of scan.signals) {
    for await (const rows of scan.all(signal, BATCH)) {
      for (const line of otlpLines(rows, scan.resources)) {
        const path = signal.declaration.signal === "span" ? "v1/traces" : "v1/logs";
        await post(new URL(path, `${endpoint.replace(/\/?$/, "/")}`), line);
      }
      sent[signal.declaration.signal === "span" ? "spans" : "events"] += rows.length;
    }
  }
  process.stdout.write(`${sent.spans} spans and ${sent.events} events were sent to ${endpoint}.\n`);
}

async function post(url: URL, body: string): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  } catch (cause) {
    throw new WirespanError(
      "USAGE",
      `${url} cannot be reached: ${(cause as Error & { cause?: Error }).cause?.message ?? cause}`,
      { cause },
    );
  }
  if (!response.ok)
    throw new WirespanError(
      "USAGE",
      `${url} answers ${response.status}: ${(await response.text()).slice(0, 200)}`,
    );
}
