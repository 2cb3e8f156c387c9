// Active spans as an application has them: the API's own, with the context manager of OpenTelemetry's SDK.
import { context as api, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";

api.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

/**
 * Runs `work` while the span of this context is active.
 * @template T
 * @param {string} traceparent
 * @param {() => T} work
 * @returns {T}
 */
export function inSpan(traceparent, work) {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  const span = trace.wrapSpanContext({ traceId, spanId, traceFlags: Number.parseInt(flags, 16) });
  return api.with(trace.setSpan(api.active(), span), work);
}
