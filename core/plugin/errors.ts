// The catalogue of errors: a stable code, and a message that says what, where and how to fix it. Tests:
// test/system/mistakes.kernel.test.ts.

import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const catalogue = {
  UNEXPECTED: 1,
  OUTPUT: 1,
  CONFIG_INVALID: 2,
  CONFIG_UNREADABLE: 2,
  USAGE: 2,
  CONTROL: 2,
  KERNEL_TOO_OLD: 3,
  KERNEL_NO_BTF: 3,
  PERMISSION: 4,
  NO_PROC: 5,
  LIMIT: 5,
  BPF_OBJECT_MISSING: 5,
  BPF_LOAD: 5,
  BPF_NO_HOOK: 5,
  BPF_LAYOUT: 5,
  PLUGIN_INVALID: 5,
  PLUGIN_FAILED: 5,
  NOTHING_RUNS: 5,
} as const;

/** The exit code if telemetry was lost on the way to a backend. */
export const EXIT_LOST = 7;

export type ErrorCode = keyof typeof catalogue;

/** Whether a text from outside is one of our codes. */
export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(catalogue, text);

export class WirespanError extends Error {
  readonly code: ErrorCode;
  /** Details that do not fit in one line: a verifier log, a list of errors. */
  readonly detail?: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; detail?: string } = {}) {
    super(message, { cause: options.cause });
    this.name = "WirespanError";
    this.code = code;
    if (options.detail !== undefined) this.detail = options.detail;
  }

  get exitCode(): number {
    return catalogue[this.code];
  }
}

const ROOT = `${import.meta.dirname}/../..`;

/** The line of our code that threw, for example `core/engine/engine.ts:88`; undefined if the stack has none. */
export function locationOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, url = "", line, column] of stack.matchAll(/((?:file:\/\/)?\/[^\s():]+):(\d+):(\d+)/g)) {
    const file = url.startsWith("/") ? url : fileURLToPath(url);
    const [source, at] = ofBundle(file, Number(line), Number(column)) ?? [file, line];
    const path = relative(ROOT, source);
    if (!path.startsWith("..") && !path.includes("node_modules")) return `${path}:${at}`;
  }
  return undefined;
}

/** The position in the source for a position in the bundle; undefined if there is no source map. */
function ofBundle(file: string, line: number, column: number): readonly [string, number] | undefined {
  if (!file.endsWith(".cjs") || !existsSync(`${file}.map`)) return undefined;
  const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")) as SourceMapPayload);
  const found = map.findOrigin(line, column);
  return "fileName" in found ? [join(dirname(file), found.fileName), found.lineNumber] : undefined;
}

/** An error's message without line ends and other control characters, truncated to fit into a line. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are searched for
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
  return line.length > 500 ? `${line.slice(0, 500)}…` : line;
}
