// Declares where in a record the values of attributes are. From one declaration, objects are created, and
// exporters/otlp/encode/recorded.ts writes bytes without an object. Tests:
// exporters/otlp/encode/recorded.test.ts.
import { formatAddress } from "./address.ts";
import type {
  AnyAttributes,
  AttributeSpecs,
  AttributeValue,
  Event,
  MutableTime,
  RequiredKeys,
  Span,
  ValueOf,
} from "./signals.ts";
import type { Cursor, Fields } from "./skeleton.ts";

type Leaf = string | number | boolean | ArrayBufferView;
type Own<R> = Exclude<keyof R & string, keyof Cursor>;

/** The fields of `R`, and of the structs in it, whose values are `T`: `conn.ends.localPort`. */
export type PathTo<R, T> = {
  [K in Own<R>]: R[K] extends Leaf ? (R[K] extends T ? K : never) : `${K}.${PathTo<R[K], T>}`;
}[Own<R>];

/** When there is a value; absent: always. */
interface When<R> {
  /** If this field is neither 0 nor false. */
  readonly when?: PathTo<R, number | boolean>;
  /** And if these two are not the same number. */
  readonly differ?: readonly [PathTo<R, number>, PathTo<R, number>];
}

/** A field unchanged; with `nonZero` only if it is neither 0, false nor empty. */
interface Plain<R, T> extends When<R> {
  readonly from: PathTo<R, T>;
  readonly nonZero?: true;
}

/** A number in a unit of which `per` make one of the attribute's: 1e9 for nanoseconds and seconds. */
interface Scaled<R> extends When<R> {
  readonly from: PathTo<R, number>;
  readonly per: number;
}

/** Names by number; other numbers have no value. */
interface Named<R, T> {
  readonly from: PathTo<R, number>;
  readonly names: Readonly<Record<number, T>>;
}

/** An address as text; no value if the family is 0. */
interface Address<R> extends When<R> {
  readonly address: PathTo<R, Uint8Array>;
  /** 4 or 6. */
  readonly family: PathTo<R, number>;
}

/** The id of a socket's connection: its cookie in hexadecimal, and which of the socket's connections it is. */
interface SocketId<R> {
  readonly cookie: PathTo<R, number>;
  /** 0 for the first. */
  readonly life: PathTo<R, number>;
}

/** A value by the name of an enum's value in the record; others have no value. */
interface Choice<R, T> {
  readonly choose: PathTo<R, string>;
  readonly of: Readonly<Record<string, Value<R, T>>>;
}

/** Where an attribute's value is in a record. */
export type Value<R, T> =
  | { readonly constant: T }
  | Plain<R, T>
  | (number extends T ? Scaled<R> : never)
  | Named<R, T>
  | (string extends T ? Address<R> | SocketId<R> : never)
  | Choice<R, T>
  /** Computed by a function; called with each record. */
  | { readonly by: (record: R) => T | undefined };

export type ValueMap<R, A extends AttributeSpecs> = {
  readonly [K in RequiredKeys<A>]: Value<R, ValueOf<A[K]>>;
} & { readonly [K in Exclude<keyof A, RequiredKeys<A>>]?: Value<R, ValueOf<A[K]>> };

interface AnyWhen {
  readonly when?: string;
  readonly differ?: readonly [string, string];
}

export interface AnyField extends AnyWhen {
  readonly from: string;
  readonly nonZero?: true;
  readonly per?: number;
  readonly names?: Readonly<Record<number, AttributeValue>>;
}

export interface AnyAddress extends AnyWhen {
  readonly address: string;
  readonly family: string;
}

/** Any value, after the types have been checked. */
export type AnyValue =
  | { readonly constant: AttributeValue }
  | AnyField
  | AnyAddress
  | { readonly cookie: string; readonly life: string }
  | { readonly choose: string; readonly of: Readonly<Record<string, AnyValue>> }
  | { by(record: unknown): AttributeValue | undefined };

type Read<T = AttributeValue | undefined> = (record: unknown) => T;

function readerOf(path: string): Read<unknown> {
  const names = path.split(".");
  return (record) => names.reduce((at, name) => (at as Readonly<Record<string, unknown>>)[name], record);
}

function valueReader(value: AnyValue): Read {
  if ("constant" in value) return () => value.constant;
  if ("by" in value) return (record) => value.by(record);
  if ("choose" in value) {
    const which = readerOf(value.choose);
    const readers = Object.fromEntries(Object.entries(value.of).map(([name, of]) => [name, valueReader(of)]));
    return (record) => readers[which(record) as string]?.(record);
  }
  if ("cookie" in value) {
    const [cookie, life] = [readerOf(value.cookie), readerOf(value.life)];
    return (record) => connectionId(cookie(record) as number, life(record) as number);
  }
  const read = "address" in value ? addressReader(value) : plainReader(value);
  const when = value.when === undefined ? undefined : readerOf(value.when);
  const [one, other] = value.differ?.map(readerOf) ?? [];
  return (record) =>
    (when && !when(record)) || (one && one(record) === other?.(record)) ? undefined : read(record);
}

function addressReader({ address, family }: AnyAddress): Read {
  const [bytes, version] = [readerOf(address), readerOf(family)];
  return (record) =>
    version(record)
      ? formatAddress(bytes(record) as Uint8Array, version(record) === 4 ? "ipv4" : "ipv6")
      : undefined;
}

function plainReader({ from, names, per, nonZero }: AnyField): Read {
  const read = readerOf(from);
  if (names) return (record) => names[read(record) as number];
  if (per) return (record) => (read(record) as number) / per;
  const plain = read as Read;
  return nonZero ? (record) => plain(record) || undefined : plain;
}

/** A connection's id: unique on the host until it reboots; a socket's second and later connections append their number. */
export function connectionId(cookie: number, life: number): string {
  const socket = cookie.toString(16);
  return life ? `${socket}.${life + 1}` : socket;
}

/** The attributes of one kind of record, and how they are read from it. */
export class Values<R = unknown, A extends AttributeSpecs = AttributeSpecs> {
  /** Of the record's struct. */
  readonly fields: Fields;
  readonly specs: A;
  readonly map: Readonly<Record<string, AnyValue>>;
  #readers: readonly (readonly [key: string, read: Read])[] | undefined;

  constructor(fields: Fields, specs: A, map: Readonly<Record<string, AnyValue>>) {
    this.fields = fields;
    this.specs = specs;
    this.map = map;
  }

  /** With additional attributes; the last of two with one name wins. */
  and<B extends AttributeSpecs>(others: Values<R, B>): Values<R, A & B> {
    return new Values<R, A & B>(
      this.fields,
      { ...this.specs, ...others.specs },
      { ...this.map, ...others.map },
    );
  }

  /** The attributes as an object, absent ones undefined. */
  object(record: R): AnyAttributes {
    this.#readers ??= Object.entries(this.map).map(([key, value]) => [key, valueReader(value)]);
    const object: Record<string, AttributeValue | undefined> = {};
    for (const [key, read] of this.#readers) object[key] = read(record);
    return object;
  }

  /** The attributes of this record, not copied. */
  of(record: R): Recorded<A> {
    return new Recorded(this, record);
  }
}

interface CursorOf<C extends Cursor> {
  new (): C;
  readonly fields: Fields;
}

/** What a cursor reads. */
type RecordOf<C> = { readonly [K in Own<C>]: C[K] };

/** Declares where the values of the attributes `specs` are in the records that `cursor` reads. */
export function values<C extends Cursor, const A extends AttributeSpecs>(
  cursor: CursorOf<C>,
  specs: A,
  map: ValueMap<RecordOf<C>, A>,
): Values<RecordOf<C>, A> {
  return new Values<RecordOf<C>, A>(cursor.fields, specs, map as Readonly<Record<string, AnyValue>>);
}

/** The values of the struct in the field `path` of the records that `cursor` reads. */
export function nested<C extends Cursor, K extends Own<C>, A extends AttributeSpecs>(
  cursor: CursorOf<C>,
  path: K,
  inner: Values<C[K], A>,
): Values<RecordOf<C>, A> {
  const map = Object.entries(inner.map).map(([key, value]) => [key, outwards(path, value)]);
  return new Values<RecordOf<C>, A>(cursor.fields, inner.specs, Object.fromEntries(map));
}

/** All attributes except these. */
export function without<R, A extends AttributeSpecs, K extends keyof A & string>(
  { fields, specs, map }: Values<R, A>,
  ...keys: readonly K[]
): Values<R, Omit<A, K>> {
  const others = (all: object) =>
    Object.fromEntries(Object.entries(all).filter(([key]) => !keys.includes(key as K)));
  return new Values<R, Omit<A, K>>(fields, others(specs) as Omit<A, K>, others(map));
}

function outwards(path: string, value: AnyValue): AnyValue {
  if ("constant" in value) return value;
  if ("by" in value) return { by: (record) => value.by((record as Readonly<Record<string, unknown>>)[path]) };
  const inside = (name: string) => `${path}.${name}`;
  if ("cookie" in value) return { cookie: inside(value.cookie), life: inside(value.life) };
  if ("choose" in value) {
    const of = Object.entries(value.of).map(([name, each]) => [name, outwards(path, each)]);
    return { choose: inside(value.choose), of: Object.fromEntries(of) };
  }
  const when: AnyWhen = {
    ...(value.when !== undefined && { when: inside(value.when) }),
    ...(value.differ && { differ: [inside(value.differ[0]), inside(value.differ[1])] }),
  };
  if ("address" in value) return { address: inside(value.address), family: inside(value.family), ...when };
  return { ...value, from: inside(value.from), ...when };
}

/** Attributes in a record: valid as long as the record is. */
export class Recorded<A extends AttributeSpecs = AttributeSpecs> {
  #values: Values<unknown, A>;
  #record: Cursor;
  #object: AnyAttributes | undefined;

  constructor(values: Values<never, A>, record: unknown) {
    this.#values = values as Values<unknown, A>;
    this.#record = record as Cursor;
  }

  get values(): Values<unknown, A> {
    return this.#values;
  }

  get record(): Cursor {
    return this.#record;
  }

  /** As an object, created on first use. */
  get object(): AnyAttributes {
    this.#object ??= this.#values.object(this.#record);
    return this.#object;
  }

  /** Replaces the attributes. */
  set(values: Values<never, A>, record: unknown): void {
    this.#values = values as Values<unknown, A>;
    this.#record = record as Cursor;
    this.#object = undefined;
  }
}

const NO_ID = new Uint8Array(0);

/**
 * A span whose attributes are in a record. One object is reused for all of them, because many are emitted and none is
 * kept.
 */
export class RecordedSpan implements Span {
  readonly scope: Span["scope"];
  readonly recorded: Recorded;
  readonly start: MutableTime = { sec: 0, nsec: 0 };
  readonly end: MutableTime = { sec: 0, nsec: 0 };
  spec: Span["spec"];
  resource: Span["resource"] = { attributes: {} };
  traceId: Uint8Array = NO_ID;
  spanId: Uint8Array = NO_ID;
  parentSpanId: Span["parentSpanId"];
  parentIsRemote = false;
  traceState: Span["traceState"];
  kind: Span["kind"] = "internal";
  links: Span["links"];
  error: Span["error"];

  constructor(scope: Span["scope"], spec: Span["spec"], recorded: Recorded) {
    this.scope = scope;
    this.spec = spec;
    this.recorded = recorded;
  }

  get attributes(): AnyAttributes {
    return this.recorded.object;
  }
}

/** An event whose attributes are in a record. */
export class RecordedEvent implements Event {
  readonly spec: Event["spec"];
  readonly scope: Event["scope"];
  readonly resource: Event["resource"];
  readonly time: Event["time"];
  readonly context: Event["context"];
  readonly recorded: Recorded;

  constructor(event: Omit<Event, "attributes" | "body"> & { readonly recorded: Recorded }) {
    this.spec = event.spec;
    this.scope = event.scope;
    this.resource = event.resource;
    this.time = event.time;
    this.context = event.context;
    this.recorded = event.recorded;
  }

  get attributes(): AnyAttributes {
    return this.recorded.object;
  }
}
