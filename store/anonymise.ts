// Replaces addresses and names in a recording with keyed hashes. The key is discarded; equal values stay equal
// everywhere in the file. Tests: store/anonymise.test.ts.
import { createHmac, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { linksOf, RowBuilder, type Rows } from "../exporters/local/columns.ts";
import { encodeChunk, Workspace } from "./chunk.ts";
import type { Database } from "./database.ts";
import type { Raised } from "./findings/findings.ts";
import { APPLICATION } from "./http/receive.ts";
import { Signal } from "./signal.ts";
import type { Edge } from "./sums/edge.ts";

/** Attributes whose texts are the kernel's, or wirespan's own. All others are replaced. */
export const KEPT: ReadonlySet<string> = new Set([
  "code.stacktrace",
  "error.type",
  "host.arch",
  "network.connection.state",
  "network.io.direction",
  "network.transport",
  "network.type",
  "os.type",
  "wirespan.connection.direction",
  "wirespan.connection.id",
  "wirespan.context.source",
  "wirespan.netdev.frame.size",
  "wirespan.netdev.transmit.result",
  "wirespan.packet.drop.location",
  "wirespan.packet.drop.reason",
  "wirespan.process.source",
  "wirespan.socket.id",
  "wirespan.socket.protocol",
  "wirespan.softirq.vector",
  "wirespan.tcp.close.reason",
  "wirespan.tcp.flags",
  "wirespan.tcp.retransmit.type",
  "wirespan.tcp.state.previous",
]);

/** Addresses that every host has. */
const ANYWHERE = /^(127\.|0\.0\.0\.0$|::1?$)/;

export class Pseudonyms {
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** An address becomes a private one of its family; other texts become `name-` and eight digits. */
  of(text: string): string {
    if (text === "" || ANYWHERE.test(text)) return text;
    const mapped = /^::ffff:([\d.]+)$/i.exec(text)?.[1];
    if (mapped !== undefined) return `::ffff:${this.of(mapped)}`;
    let known = this.#known.get(text);
    for (let attempt = 0; known === undefined; attempt++) {
      const candidate = named(text, createHmac("sha256", this.#key).update(`${attempt} ${text}`).digest());
      if (this.#taken.has(candidate)) continue;
      known = candidate;
      this.#taken.add(known);
      this.#known.set(text, known);
    }
    return known;
  }

  /** The values of attributes, including texts in lists. */
  attributes(all: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const one = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(one);
      return typeof value === "string" ? this.of(value) : value;
    };
    return Object.fromEntries(
      Object.entries(all).map(([key, value]) => [key, KEPT.has(key) ? value : one(value)]),
    );
  }
}

function named(text: string, hash: Buffer): string {
  const group = (at: number) => hash.readUInt16BE(at).toString(16);
  switch (isIP(text)) {
    case 4:
      return `10.${hash[0]}.${hash[1]}.${hash[2]}`;
    case 6:
      return `fd00::${group(0)}:${group(2)}:${group(4)}`;
    default:
      return `name-${hash.toString("hex", 0, 4)}`;
  }
}

/** Rewrites a whole recording. It must be compacted afterwards, so that no free page contains the original. */
export function anonymise(db: Database): void {
  const names = new Pseudonyms();
  db.get("PRAGMA secure_delete = ON");
  db.transaction(() => {
    rewrite(db, "resource", "attributes", (text) => names.attributes(JSON.parse(text)));
    rewrite(db, "series", "attributes", (text) => names.attributes(JSON.parse(text)));
    rewrite(db, "edge", "edge", (text) => {
      const edge = JSON.parse(text) as Edge;
      return { ...edge, peer: edge.peer === "other" ? edge.peer : names.of(edge.peer) };
    });
    rewrite(db, "finding", "finding", (text) => anonymousFinding(JSON.parse(text) as Raised, names));
    for (const key of ["host", "about"]) {
      const value = db.meta(key);
      if (value === undefined) continue;
      if (key === "host") db.setMeta(key, names.of(value));
      else {
        const about = JSON.parse(value) as { host?: string };
        db.setMeta(key, JSON.stringify({ ...about, host: names.of(about.host ?? "") }));
      }
    }
    for (const { id, declaration } of db.all("SELECT id, declaration FROM signal"))
      rewriteChunks(db, new Signal(Number(id), JSON.parse(String(declaration))), names);
  });
}

function rewrite(db: Database, table: string, column: string, change: (text: string) => unknown): void {
  for (const { id, text } of db.all(`SELECT id, ${column} AS text FROM ${table}`))
    db.run(
      `UPDATE ${table} SET ${column} = ? WHERE id = ?`,
      JSON.stringify(change(String(text))),
      Number(id),
    );
}

/** A finding's sentences contain names. */
function anonymousFinding({ evidence, subject, ...finding }: Raised, names: Pseudonyms): Raised {
  return {
    ...finding,
    subject: names.of(subject),
    text: `${finding.rule}: ${finding.count} in a minute (the sentence is left out of an anonymised recording).`,
    next: "",
    evidence: evidence.split("?")[0]!,
    ...(finding.likelyFrom !== undefined && { likelyFrom: names.of(finding.likelyFrom) }),
  };
}

function rewriteChunks(db: Database, signal: Signal, names: Pseudonyms): void {
  const { attributes } = signal.declaration;
  const workspace = new Workspace();
  for (const { id } of db.all("SELECT id FROM chunk WHERE signal = ?", signal.id)) {
    workspace.clear();
    const rows = anonymousRows(signal, signal.chunk(db, Number(id), workspace)!.rows, names);
    const { n } = rows;
    const copy = new RowBuilder(attributes, n);
    const all = Uint32Array.from({ length: n }, (_, i) => i);
    copy.copy({ rows, resources: rows.resource, linksAt: linksOf(rows) }, all, 0, n);
    const kept = encodeChunk(copy);
    db.run("UPDATE chunk SET head = ?, data = ? WHERE id = ?", kept.head, kept.data, Number(id));
  }
}

/** The rows with other words; a word may be replaced in one column and kept in another. */
function anonymousRows(signal: Signal, rows: Rows, names: Pseudonyms): Rows {
  const { attributes, signal: kind, name } = signal.declaration;
  const words = [...rows.words];
  const index = new Map(words.map((word, i) => [word, i]));
  const indexOf = (word: string) => {
    let at = index.get(word);
    if (at === undefined) {
      at = words.push(word) - 1;
      index.set(word, at);
    }
    return at;
  };
  const replaced = (column: Uint32Array, change: (word: string) => string) =>
    column.map((word) => (word === 0 ? 0 : indexOf(change(words[word]!))));
  const values = Object.entries(attributes).map(([key, { type }], i) => {
    const column = rows.values.at(i)!;
    if (!(column instanceof Uint32Array) || KEPT.has(key)) return column;
    if (key === "span.attributes") return replaced(column, () => "{}");
    if (type === "string[]")
      return replaced(column, (word) =>
        JSON.stringify((JSON.parse(word) as string[]).map((one) => names.of(one))),
      );
    return replaced(column, (word) => names.of(word));
  });
  // An event's body is a sentence, and an application's error description may contain anything.
  const says = kind === "event" ? "" : name === APPLICATION.name ? "error" : undefined;
  return {
    ...rows,
    words,
    values,
    error: says === undefined ? rows.error : replaced(rows.error, () => says),
  };
}
