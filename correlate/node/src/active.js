// The active span of @opentelemetry/api, read from where the API registers itself for all its copies in the
// process. So any version 1.x works, wherever it was loaded from, bundled or not, and none is required.
import { fromSpanContext } from "./traceparent.js";

const API = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");
const SUPPRESSED = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/**
 * @typedef {{ getValue(key: symbol): unknown }} Context
 * @typedef {{ context?: { active(): Context } }} Registered
 */

/**
 * The context of the active span; undefined without one, and where tracing is suppressed, as in exporters.
 * @returns {string | undefined}
 */
export function active() {
  const api = /** @type {Record<symbol, Registered | undefined>} */ (/** @type {unknown} */ (globalThis))[
    API
  ];
  const context = api?.context?.active();
  if (!context || context.getValue(SUPPRESSED)) return undefined;
  const span = /** @type {{ spanContext?(): unknown } | undefined} */ (context.getValue(SPAN));
  return fromSpanContext(span?.spanContext?.());
}
