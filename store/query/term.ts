// Formats a term of a filter. Tests: store/query/filter.test.ts.

/** `field:value`, quoted if necessary to match exactly this value. A quote in the value becomes `*`. */
export function term(field: string, value: string | number): string {
  const text = String(value);
  const needsQuotes = /[\s"/]/.test(text);
  return `${field}:${needsQuotes ? `"${text.replaceAll('"', "*")}"` : text}`;
}
