// Sets up OpenTelemetry's SDK as an application does; spans go to OTEL_EXPORTER_OTLP_ENDPOINT.
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK();
sdk.start();

const tracer = trace.getTracer("shop");

/** Runs `work` in a span; a rejection gives the span its error. */
async function within(name, kind, attributes, parent, work) {
  return await tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error.message) });
      span.setAttribute("error.type", error.code ?? error.name);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** A client span around `work`. */
export function calling(name, attributes, work) {
  return within(name, SpanKind.CLIENT, attributes, context.active(), work);
}

/** A server span around `work`, a child of the span that the request's headers name. */
export function serving(name, headers, work) {
  return within(name, SpanKind.SERVER, {}, propagation.extract(context.active(), headers), work);
}

/** Headers that name the active span. */
export function traceHeaders() {
  const headers = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** Sends what is still queued. */
export async function flush() {
  await sdk.shutdown();
}
