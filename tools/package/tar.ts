// Tar archives whose bytes depend only on the entries: no times, no user names.

/** One file, folder or symbolic link. */
export interface Entry {
  /** Without a leading slash, at most 100 bytes. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Id of user and group (default 0). */
  readonly owner?: number;
  /** A file's bytes, or a link's target as a string; a folder has none. */
  readonly content?: Buffer | string;
  /** Extended attributes of the file, by name. */
  readonly attributes?: Readonly<Record<string, Buffer>>;
}

const BLOCK = 512;

/** The archive with these entries, in their order (POSIX.1-2001, pax interchange format). */
export function tar(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.flatMap(parts), Buffer.alloc(2 * BLOCK)]);
}

function parts(entry: Entry): Buffer[] {
  const { path, mode, owner = 0, content } = entry;
  const isFile = content instanceof Buffer;
  const link = typeof content === "string" ? content : "";
  const head = header({
    path,
    mode,
    owner,
    link,
    size: isFile ? content.length : 0,
    type: isFile ? "0" : link === "" ? "5" : "2",
  });
  return [...extended(entry), head, ...(isFile ? padded(content) : [])];
}

interface Header {
  readonly path: string;
  readonly mode: number;
  readonly owner: number;
  readonly size: number;
  readonly type: "0" | "2" | "5" | "x";
  readonly link: string;
}

function header({ path, mode, owner, size, type, link }: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  for (const text of [path, link]) if (Buffer.byteLength(text) > 100) throw new Error(`${text} is too long`);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  block.write(path, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(owner, 7), 108);
  block.write(octal(owner, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(" ".repeat(8), 148);
  block.write(type, 156);
  block.write(link, 157);
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** The entry that gives the next one its extended attributes, as GNU tar and container runtimes read them. */
function extended({ path, attributes = {} }: Entry): Buffer[] {
  const records = Object.entries(attributes).map(([name, value]) => {
    const rest = Buffer.concat([Buffer.from(` SCHILY.xattr.${name}=`), value, Buffer.from("\n")]);
    // The length includes its own digits.
    let length = rest.length;
    while (length !== rest.length + `${length}`.length) length = rest.length + `${length}`.length;
    return Buffer.concat([Buffer.from(`${length}`), rest]);
  });
  if (records.length === 0) return [];
  const body = Buffer.concat(records);
  return [
    header({ path: `${path}.pax`, mode: 0o644, owner: 0, size: body.length, type: "x", link: "" }),
    ...padded(body),
  ];
}

function padded(content: Buffer): Buffer[] {
  return [content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
}
