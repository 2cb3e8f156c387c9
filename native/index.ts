// The typed interface of the native addon: one class per kernel noun. Arguments are checked here or by the compiler;
// the addon assumes that they are valid. Every failure is a NativeError.
import { createRequire } from "node:module";

/** A failed call into libbpf or the kernel. */
export interface NativeError extends Error {
  /** The errno name, e.g. `EPERM`. */
  readonly code: string;
  /** The failed step: `open`, `load`, `attach`, `map ring`, `read table`, ... */
  readonly step: string;
  /** The BPF program concerned, if any. */
  readonly program?: string;
  /** The verifier's log or libbpf's last messages, if any. */
  readonly detail?: string;
}

export interface LoadOptions {
  /** Programs to load; every other program of the object is omitted. */
  readonly programs: readonly string[];
  /** Bytes for `const volatile` globals, by name; each at most as long as the variable. */
  readonly constants?: Readonly<Record<string, Uint8Array>>;
  /** Maps that another loaded object already owns, by this object's name for them. EINVAL if their layout differs. */
  readonly reuse?: Readonly<Record<string, BpfMap>>;
  /** `max_entries` to set before load, by map name (a ring's is its size in bytes). */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /**
   * Paths of pinned hashes that replace the object's maps, by map name; EINVAL if the size of keys differs (that of
   * values does not matter). With an empty path the map is not created, and no code may use it.
   */
  readonly pinned?: Readonly<Record<string, string>>;
}

/** One BPF object: opened, loaded, its programs attached one by one. */
export interface BpfObject {
  /** Attaches one loaded program; a second call for the same program is an error (EEXIST). */
  attach(program: string): void;
  /**
   * Attaches a program for a function's entry or return to that function of an executable or a library, in all processes
   * that map the file, now and later; ENOENT if the file has no such symbol. Must be called only once for each file.
   * Returns a number for `detachFunction`.
   */
  attachFunction(program: string, path: string, symbol: string): number;
  detachFunction(link: number): void;
  /** Detaches one program wherever it is attached; detaching what is not attached does nothing. */
  detach(program: string): void;
  /** Puts one loaded program into a map of programs, for others to call (BPF_MAP_TYPE_PROG_ARRAY). */
  place(program: string, map: BpfMap, index: number): void;
  /** Throws ENOENT for a name that the object does not have. */
  map(name: string): BpfMap;
  /** Kernel ids and sizes of the loaded programs. `runCount`/`runTimeNs` are 0 unless statistics are on. */
  programs(): readonly ProgramInfo[];
  /** Missed events of all its programs; cheaper than `programs`. */
  readonly misses: number;
  /**
   * Runs an iterator program to its end on a worker thread and returns everything that it wrote. `map` names the map
   * that a map-element iterator walks.
   */
  iterate(program: string, map?: string): Promise<Uint8Array>;
  /** From now on `iterate(program)` runs the program of another object, which may be closed, over that one's map. */
  adoptIterator(from: BpfObject, program: string, map: string): void;
  /** Runs a `SEC("syscall")` program once; returns its return value. `context` is read and written back. */
  run(program: string, context?: Uint8Array): number;
  /** Detaches and unloads everything. Idempotent; every other call then throws EBADF. */
  close(): void;
}

export interface ProgramInfo {
  readonly name: string;
  readonly id: number;
  readonly attached: boolean;
  readonly instructions: number;
  readonly runCount: number;
  readonly runTimeNs: number;
  /** Events that it was not run for: it was already running on that CPU when an interrupt caused them. */
  readonly misses: number;
}

/** A BPF map of a loaded object. Valid until its object is closed, EBADF afterwards. */
export interface BpfMap {
  readonly name: string;
  readonly keySize: number;
  /** One value; for per-CPU maps the size of one CPU's share. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /**
   * Reads every entry with batch lookups. Returns the number of entries. `keys` and `values` are grown by the caller:
   * entry i is at i * keySize and i * valueSize. Per-CPU values are summed word by word as u64 (valueSize is then a
   * multiple of 8), except the u64 words listed in `maxWords`, of which the largest is taken. Throws ENOSPC if the
   * arrays are too small for all entries.
   */
  read(keys: Uint8Array, values: Uint8Array, maxWords?: Uint32Array): number;
  /**
   * The same without summing: value i of CPU c is at (i * cpus + c) * valueSize. Entries of an array that are zero on
   * all CPUs are omitted, because they are unused.
   */
  readPerCpu(keys: Uint8Array, values: Uint8Array): number;
  /**
   * Reads one entry, not of a per-CPU map, into `value`; returns false if there is no such key. Throws EINVAL for
   * other lengths.
   */
  lookUp(key: Uint8Array, value: Uint8Array): boolean;
  /** A per-CPU value is that of all CPUs, one share after the other. Throws EINVAL for other lengths. */
  update(key: Uint8Array, value: Uint8Array): void;
  /** Returns false if there was no such key. */
  delete(key: Uint8Array): boolean;
}

/** The reading end of one BPF ring buffer, mapped by the addon itself. Outlives its object, until `close`. */
export interface Ring {
  /** Bytes produced and not yet consumed. */
  readonly pending: number;
  /** The ring's size in bytes. */
  readonly capacity: number;
  /**
   * Moves committed records into one reused buffer and calls `onBatch` once per full buffer: records
   * follow each other, each after the kernel's 8-byte header (u32 length, u32 page offset) and padded
   * to 8 bytes; discarded records are dropped. The arrays are valid during the call only; `length` is
   * the batch's length in bytes. At most one ring's content is moved per call. Returns the number of
   * records. If `onBatch` throws, the records that it received count as consumed.
   */
  drain(onBatch: (words: Uint32Array, bytes: Uint8Array, length: number) => void): number;
  close(): void;
}

/** Reports when rings must be read immediately (a forced wake-up). */
export interface Waker {
  /** Does not keep the ring alive: a ring without other references is collected and no longer polled. */
  add(ring: Ring): void;
  remove(ring: Ring): void;
  close(): void;
}

/** What this kernel and these privileges support, found by trying. */
export interface Features {
  /** Kernel release, as uname prints it. */
  readonly kernel: string;
  /** libbpf's version, e.g. `1.1`. */
  readonly libbpf: string;
  /** `none`, `integrity` or `confidentiality`; `unknown` if securityfs does not show it. */
  readonly lockdown: string;
  /** Possible CPUs: the number of shares of a per-CPU value. */
  readonly cpus: number;
}

export interface Offset {
  /** Wall-clock seconds and nanoseconds at which the boot clock read 0; nsec in [0, 1e9). */
  readonly sec: number;
  readonly nsec: number;
}

/** A network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Its kind in rtnetlink's terms, `macvlan`; empty for hardware. */
  readonly kind: string;
  /** Frames and bytes received so far according to its statistics; exact below 2^53. */
  readonly packets: number;
  readonly bytes: number;
}

export interface Native {
  /**
   * Opens and loads on a worker thread; every failure is a rejection. `object` is the content of the ELF file, `name`
   * is used in messages.
   */
  load(name: string, object: Uint8Array, options: LoadOptions): Promise<BpfObject>;
  /** Maps a BPF_MAP_TYPE_RINGBUF; `batchBytes` is the size of the reused buffer (default 256 KiB). */
  openRing(map: BpfMap, batchBytes?: number): Ring;
  /** Calls `onWake` from the event loop; keeps the process alive only until `close`. */
  createWaker(onWake: () => void): Waker;
  features(): Features;
  /** Whether a program of this type loads and attaches (a tiny one is tried): `undefined` or the error's code. */
  tryKind(kind: "tp_btf" | "fentry" | "kprobe" | "iter" | "tracepoint"): string | undefined;
  /** Number of arguments of a BTF tracepoint (without the context); -1 if this kernel does not have it. */
  tracepointArity(name: string): number;
  /** Number of parameters of a function in the running kernel's BTF; -1 if it is absent. */
  functionArity(name: string): number;
  /**
   * Values by name of an enum in the running kernel's BTF; empty if it is absent. An enum without a name is looked up
   * by the name of one of its values: `NET_RX_SOFTIRQ`.
   */
  kernelEnum(name: string): Readonly<Record<string, number>>;
  /** Boot clock to wall clock, from the tightest of several samples. */
  bootOffset(): Offset;
  /** Nanoseconds on the kernel's boot clock, whatever time namespace this process is in. */
  bootNow(): number;
  /**
   * Offset of the boot clock of this process's time namespace from the kernel's, nanoseconds; 0 without a namespace.
   */
  bootShift(): number;
  /** SO_NETNS_COOKIE of the namespace behind an open nsfs fd, or of the caller's own for -1. */
  netnsCookie(fd: number): number;
  /** The interfaces of the namespace behind an open nsfs fd, and its cookie. EPERM without CAP_SYS_ADMIN. */
  netnsLinks(fd: number): { readonly cookie: number; readonly links: readonly Link[] };
  /** SO_COOKIE of a socket of this process. */
  socketCookie(fd: number): number;
  /**
   * Sends one datagram to a unix socket: a path, or `@` and a name in the abstract namespace. Waits up to a second for a
   * receiver whose queue is full, then throws EAGAIN; ENOENT or ECONNREFUSED if there is no receiver.
   */
  sendDatagram(address: string, text: string): void;
  /** Enables BPF run-time statistics until `close`. */
  enableStats(): { close(): void };
  /** Returns memory that the C library keeps to the system: what V8's compilers used, above all. */
  giveBackFreed(): void;
  /** libbpf's messages: level 0 warn, 1 info, 2 debug. One listener. */
  onMessage(listener: ((level: number, text: string) => void) | undefined): void;
}

/** The addon, loaded at first use. */
export const native = createRequire(import.meta.url)("./build/wirespan.node") as Native;
