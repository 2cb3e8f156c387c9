// This package passes contexts as text in the form of W3C Trace Context: version 00, 55 characters.

const DASH = 45;
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/**
 * A header's value as a context; undefined unless it has the form of a `traceparent`. The digits are checked when the
 * table is written.
 * @param {unknown} header
 * @returns {string | undefined}
 */
export function fromHeader(header) {
  const text = Array.isArray(header) ? header[0] : header;
  if (typeof text !== "string" || text.length < 55) return undefined;
  if (text.charCodeAt(2) !== DASH || text.charCodeAt(35) !== DASH || text.charCodeAt(52) !== DASH) {
    return undefined;
  }
  // A later version may have more after a dash; version ff is invalid.
  if (text.startsWith("00")) return text.length === 55 ? text : undefined;
  if (text.startsWith("ff") || (text.length > 55 && text.charCodeAt(55) !== DASH)) return undefined;
  return text.slice(0, 55);
}

/**
 * A span context of `@opentelemetry/api` as text; undefined if it does not have the form of one.
 * @param {unknown} context
 * @returns {string | undefined}
 */
export function fromSpanContext(context) {
  if (typeof context !== "object" || context === null) return undefined;
  const { traceId, spanId, traceFlags } =
    /** @type {{ traceId?: unknown, spanId?: unknown, traceFlags?: unknown }} */ (context);
  if (typeof traceId !== "string" || traceId.length !== 32) return undefined;
  if (typeof spanId !== "string" || spanId.length !== 16) return undefined;
  return `00-${traceId}-${spanId}-${HEX[Number(traceFlags) & 255]}`;
}
