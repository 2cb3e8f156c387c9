// Builds one export request: items are written as they arrive, and grouped by resource and scope at the end.
import type { Resource, Scope } from "../../../core/plugin/signals.ts";
import { plainAttributes } from "./attributes.ts";
import type { BufferPool } from "./buffer-pool.ts";
import { varintSize, Writer, written } from "./writer.ts";

/** The schema of resources and scopes. */
export const SCHEMA_URL = "https://opentelemetry.io/schemas/1.45.0";

/** Field 3 of every ResourceX and ScopeX. */
const schemaUrl = written((w) => {
  w.byte(0x1a);
  w.string(SCHEMA_URL);
});

const resources = new WeakMap<Resource, Buffer>();
const scopes = new WeakMap<Scope, Buffer>();

/** Field 1 of a ResourceX. */
function resourceBytes(resource: Resource): Buffer {
  let bytes = resources.get(resource);
  if (bytes === undefined) {
    const attributes = plainAttributes(0x0a, resource.attributes);
    bytes = written((w) => {
      w.byte(0x0a);
      w.varint(attributes.length);
      w.ensure(attributes.length);
      w.raw(attributes);
    });
    resources.set(resource, bytes);
  }
  return bytes;
}

/** Field 1 of a ScopeX. */
function scopeBytes(scope: Scope): Buffer {
  let bytes = scopes.get(scope);
  if (bytes === undefined) {
    bytes = written((w) => {
      w.byte(0x0a);
      const mark = w.open();
      w.byte(0x0a);
      w.string(scope.name);
      w.byte(0x12);
      w.string(scope.version);
      w.close(mark);
    });
    scopes.set(scope, bytes);
  }
  return bytes;
}

/** A tag and the longest length. */
const LENGTHS = 6;

/** The items of one scope of one resource: ranges of the writer, as pairs of start and end. Reused by each request. */
class Group {
  readonly scope: Buffer;
  stretches = new Uint32Array(16);
  /** Numbers in `stretches`. */
  used = 0;
  bytes = 0;

  constructor(scope: Buffer) {
    this.scope = scope;
  }

  get size(): number {
    return this.scope.length + this.bytes + schemaUrl.length;
  }

  add(start: number, end: number): void {
    const { used } = this;
    this.bytes += end - start;
    if (used > 0 && this.stretches[used - 1] === start) {
      this.stretches[used - 1] = end;
      return;
    }
    if (used === this.stretches.length) {
      const larger = new Uint32Array(used * 2);
      larger.set(this.stretches);
      this.stretches = larger;
    }
    this.stretches[used] = start;
    this.stretches[used + 1] = end;
    this.used = used + 2;
  }
}

/** One resource's part of a request. */
class ResourceGroup {
  readonly resource: Buffer;
  readonly scopes = new Map<Scope, Group>();
  /** Those with items in this request. */
  readonly filled: Group[] = [];

  constructor(resource: Buffer) {
    this.resource = resource;
  }

  get size(): number {
    const { resource, filled } = this;
    return filled.reduce(
      (sum, { size }) => sum + 1 + varintSize(size) + size,
      resource.length + schemaUrl.length,
    );
  }
}

/**
 * The three signals' requests have one shape: field 1 of the request is a ResourceX with resource = 1,
 * ScopeX = 2, schema_url = 3; a ScopeX has scope = 1, items = 2, schema_url = 3.
 */
export class ExportRequest {
  readonly #writer = new Writer();
  readonly #groups = new WeakMap<Resource, ResourceGroup>();
  /** Those with items in this request. */
  readonly #filled: ResourceGroup[] = [];
  /** Bytes of resources and scopes, including lengths and tags. */
  #framing = 0;
  /** Of the last item. */
  #resource: Resource | undefined;
  #scope: Scope | undefined;
  #group: Group | undefined;

  /** Size of the request in bytes, at most a few less. */
  get bytes(): number {
    return this.#writer.at + this.#framing;
  }

  /** Adds one item, written by `write`; if that throws, the request is unchanged. */
  add<T>(resource: Resource, scope: Scope, write: (writer: Writer, item: T) => void, item: T): void {
    const writer = this.#writer;
    const start = writer.at;
    try {
      write(writer, item);
    } catch (error) {
      writer.at = start;
      throw error;
    }
    const group =
      resource === this.#resource && scope === this.#scope ? this.#group! : this.#enter(resource, scope);
    group.add(start, writer.at);
  }

  #enter(resource: Resource, scope: Scope): Group {
    let ofResource = this.#groups.get(resource);
    if (ofResource === undefined) {
      ofResource = new ResourceGroup(resourceBytes(resource));
      this.#groups.set(resource, ofResource);
    }
    let group = ofResource.scopes.get(scope);
    if (group === undefined) {
      group = new Group(scopeBytes(scope));
      ofResource.scopes.set(scope, group);
    }
    if (group.used === 0) {
      if (ofResource.filled.length === 0) {
        this.#filled.push(ofResource);
        this.#framing += ofResource.resource.length + schemaUrl.length + LENGTHS;
      }
      ofResource.filled.push(group);
      this.#framing += group.scope.length + schemaUrl.length + LENGTHS;
    }
    this.#resource = resource;
    this.#scope = scope;
    this.#group = group;
    return group;
  }

  /** The request's bytes, in a buffer of `pool` that contains nothing else; the request is empty afterwards. */
  take(pool: BufferPool): { readonly chunk: Buffer<ArrayBuffer>; readonly bytes: Buffer } {
    const sizes = this.#filled.map(({ size }) => size);
    const total = sizes.reduce((sum, size) => sum + 1 + varintSize(size) + size, 0);
    const chunk = pool.take(total);
    const out = new Writer(chunk);
    for (const [i, { resource, filled }] of this.#filled.entries()) {
      out.byte(0x0a);
      out.varint(sizes[i]!);
      out.raw(resource);
      for (const group of filled.splice(0)) this.#move(out, group);
      out.raw(schemaUrl);
    }
    this.#filled.length = 0;
    this.#writer.at = 0;
    this.#framing = 0;
    this.#resource = undefined;
    this.#scope = undefined;
    this.#group = undefined;
    return { chunk, bytes: chunk.subarray(0, total) };
  }

  /** Writes a group's items, and empties it. */
  #move(out: Writer, group: Group): void {
    out.byte(0x12);
    out.varint(group.size);
    out.raw(group.scope);
    for (let i = 0; i < group.used; i += 2) {
      const start = group.stretches[i]!;
      const end = group.stretches[i + 1]!;
      this.#writer.bytes.copy(out.bytes, out.at, start, end);
      out.at += end - start;
    }
    out.raw(schemaUrl);
    group.used = 0;
    group.bytes = 0;
  }
}
