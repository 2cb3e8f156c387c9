// How a filter's term is written. Tests: store/query/filter.test.ts.

/** `field:value`, in quotes if need be: then only this value is meant. A quote in it becomes any text. */
export function term(field: string, value: string | number): string {
  const text = String(value);
  const needsQuotes = /[\s"/]/.test(text);
  return `${field}:${needsQuotes ? `"${text.replaceAll('"', "*")}"` : text}`;
}
