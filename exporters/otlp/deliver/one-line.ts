// Makes external text fit into one line of a log.

/** The rest is omitted. */
const LONGEST = 300;

/** The beginning of `text` on one line, without control characters and bidirectional marks. */
export function oneLine(text: string, longest = LONGEST): string {
  const line = text
    .slice(0, longest * 4)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim();
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

/** The beginning of a response, for messages: the text of an HTML page, not its tags. */
export function excerpt(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, 4096)).toString();
  if (!/^\s*<(!doctype|html|head|\?xml)/i.test(text)) return `"${oneLine(text, 120)}"`;
  const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1];
  const shown = text.replace(/<(script|style)[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]*>/g, " ");
  return `an HTML page "${oneLine(title || shown, 120)}"`;
}
