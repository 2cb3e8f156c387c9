// apis.js FIRST: two versions of @opentelemetry/api in one process, of which FIRST (0: the new one, 1: the old one) has the
// context manager; each runs code in a span. Prints whether the active span was found.
import { createRequire } from "node:module";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { active } from "../../src/active.js";
import { context } from "./context.js";

const load = createRequire(import.meta.url);
const apis = ["@opentelemetry/api", "@opentelemetry/api-1.0"].map((name) => load(name));
/** @type {(string | undefined)[]} */
const found = [active()];
/** @type {(string | undefined)[]} */
const expected = [undefined];

apis[Number(process.argv[2])].context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
for (const api of apis) {
  const text = context();
  const [, traceId, spanId] = text.split("-");
  const span = api.trace.wrapSpanContext({ traceId, spanId, traceFlags: 1 });
  api.context.with(api.trace.setSpan(api.context.active(), span), () => {
    // A newer API rejects an older one's registration, and then runs nothing in the span.
    if (api.trace.getSpan(api.context.active()) !== span) return;
    found.push(active());
    expected.push(text);
    const key = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");
    api.context.with(api.context.active().setValue(key, true), () => {
      found.push(active());
      expected.push(undefined);
    });
  });
}
console.log(
  JSON.stringify({ cases: found.length, right: found.filter((each, i) => each === expected[i]).length }),
);
