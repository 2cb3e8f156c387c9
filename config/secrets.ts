// Values that are stored elsewhere: `${env:NAME}` within a text, `file:/path` as the whole text.
import type { Raw } from "./formats.ts";
import { readText } from "./read.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Substituted {
  readonly raw: Raw;
  /** A reference was resolved: the value must not be shown. */
  readonly secret: boolean;
  /** Of a map: the files that values were read from, by key. */
  readonly files: ReadonlyMap<string, string>;
}

const FILE = "file:";
const NO_FILES: ReadonlyMap<string, string> = new Map();

/** Resolves all references in a value. Throws an Error with what is missing. */
export function substitute(raw: Raw, env: Environment): Substituted {
  let secret = false;
  const one = (text: string): string => {
    const found = follow(text, env);
    secret ||= found !== text;
    return found;
  };
  if (typeof raw === "string") return { raw: one(raw), secret, files: NO_FILES };
  if (raw instanceof Map) {
    const entries = [...(raw as ReadonlyMap<string, string>)].map(([key, text]) => [key, one(text)] as const);
    const written = [...(raw as ReadonlyMap<string, string>)].filter(([, text]) => text.startsWith(FILE));
    const files = written.map(([key, text]) => [key, text.slice(FILE.length)] as const);
    return { raw: new Map(entries), secret, files: new Map(files) };
  }
  return { raw: (raw as readonly string[]).map(one), secret, files: NO_FILES };
}

function follow(text: string, env: Environment): string {
  if (text.startsWith(FILE)) return contents(text.slice(FILE.length));
  return text.replace(/\$\{([^}]*)\}/g, (_, reference: string) => {
    const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(reference)?.[1];
    if (name === undefined) throw new Error(`\${${reference}} is not a valid reference; write \${env:NAME}`);
    const value = env[name];
    if (value === undefined) throw new Error(`the environment has no variable ${name}`);
    return value;
  });
}

/** Maximum bytes; a token or a key is far smaller. */
const LARGEST = 64 * 1024;

/** A file's text without the line end that editors add. Throws an Error with the reason. */
export function contents(path: string): string {
  try {
    return readText(path, LARGEST).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new Error(`cannot read the file ${path}: ${(cause as Error).message}`, { cause });
  }
}
