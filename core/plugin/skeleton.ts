// The skeleton of a BPF object: typed access to what its programs export and to what the agent sets. tools/btfgen.ts
// generates the values from the built object's BTF; no layout is written by hand.
// Tests: core/bridge/skeletons.test.ts.

/** A C type in memory. Sizes and offsets in bytes. */
export type Layout =
  | { readonly kind: "int"; readonly size: number; readonly signed: boolean }
  | { readonly kind: "bool"; readonly size: number }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly size: number;
      readonly values: readonly (readonly [string, number])[];
    }
  | { readonly kind: "text"; readonly size: number }
  | { readonly kind: "array"; readonly size: number; readonly element: Layout; readonly length: number }
  | {
      readonly kind: "struct";
      readonly name: string;
      readonly size: number;
      readonly fields: readonly Field[];
    };

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly layout: Layout;
}

/** The layout of a struct's field; undefined if it has none of that name. */
export function fieldOf(layout: Layout, name: string): Layout | undefined {
  return layout.kind === "struct" ? layout.fields.find((field) => field.name === name)?.layout : undefined;
}

/** A map that the agent fills. */
export interface InputLayout {
  readonly key: Layout;
  readonly value: Layout;
}

/** A field's offset in its struct, bytes. */
export type Place =
  | { readonly at: number; readonly is: "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" | "bool" }
  | { readonly at: number; readonly is: "text" | "array"; readonly size: number }
  /** A number of 4 bytes and the names of its values. */
  | { readonly at: number; readonly names: readonly (string | undefined)[] }
  | { readonly at: number; readonly fields: Fields };

/** A struct's fields by their names in its cursor. */
export type Fields = Readonly<Record<string, Place>>;

/** Reads one C struct in place. Getters are valid as long as the memory is. */
export interface Cursor {
  /** The memory and the offset at which the struct begins. */
  readonly $words: Uint32Array;
  readonly $bytes: Uint8Array;
  readonly $at: number;
  /** Points the cursor at a struct that begins at `offset` (bytes, a multiple of 4). */
  at(words: Uint32Array, bytes: Uint8Array, offset: number): void;
}

type CursorClass<R> = new () => R & Cursor;

/** Records that programs submit one by one. */
export interface RingRecords<R> {
  readonly kind: "ring";
  readonly size: number;
  readonly record: CursorClass<R>;
}

/** Sums that programs keep; read as a whole at each collection. */
export interface TableRecords<K, V> {
  readonly kind: "table";
  readonly perCpu: boolean;
  /** The key begins with the number of a workload, or of an image (bpf/include/wirespan/owner.h). */
  readonly byWorkload?: true;
  /** u64 words of a value that are merged over CPUs by maximum instead of sum (fields named max_*). */
  readonly maxWords: readonly number[];
  readonly key: CursorClass<K>;
  readonly value: CursorClass<V>;
}

/** A table at one collection, read when it is iterated: one row per key, with per-CPU values summed. */
export interface TableRows<K, V> extends Iterable<readonly [key: K, value: V]> {
  /** One row per key and CPU, for a table whose values are per CPU; others throw EINVAL. */
  perCpu(): Iterable<readonly [key: K, value: V, cpu: number]>;
  /** Removes the current row of the iteration from the kernel's table. */
  remove(): void;
}

/** Records that the iterator program of the same name writes each time it is run. */
export interface RowRecords<R> {
  readonly kind: "rows";
  readonly size: number;
  readonly record: CursorClass<R>;
}

// biome-ignore lint/suspicious/noExplicitAny: any record type; the precise one is inferred at each use
export type Records = RingRecords<any> | TableRecords<any, any> | RowRecords<any>;

/** What tools/btfgen.ts generates for a built object. */
export interface Skeleton {
  /** Hash of all field names, offsets and sizes: compared with the object's own at load. */
  readonly hash: string;
  /** Each program's hook, from its SEC(): `tp_btf/inet_sock_set_state`. */
  readonly programs: Readonly<Record<string, string>>;
  /** `const volatile` globals, set before load. */
  readonly constants: Readonly<Record<string, Layout>>;
  /** The global that may be written at any time. */
  readonly runtimeConfig?: Layout;
  /** u64 words of the per-CPU map `counters`, by name: exported as metrics of the agent itself. */
  readonly counters: readonly string[];
  /** Maps that the agent fills before the programs are attached. */
  readonly inputs?: Readonly<Record<string, InputLayout>>;
  /** Programs that join a chain: the kinds of its events that they want, one bit each. */
  readonly links?: Readonly<Record<string, number>>;
  /** What the programs export, by the name of the map or iterator program. */
  readonly records: Readonly<Record<string, Records>>;
}
