// One BPF object with its programs: chooses for each observed event the first program that this kernel supports and can
// attach, by BTF and by trying, never by version.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { BpfMap, BpfObject, Native, NativeError } from "../../native/index.ts";
import { WirespanError } from "../plugin/errors.ts";
import type { Candidate, ConstantValue, InputRow, Probe } from "../plugin/plugin.ts";
import type { Skeleton } from "../plugin/skeleton.ts";
import { readObject } from "./btf.ts";
import { KNOWN_LAYOUTS } from "./known-layouts.ts";
import { packConstant } from "./pack.ts";
import { explainBpfRefusal, explained } from "./refusal.ts";
import type { Chain } from "./tail-chain.ts";

/** How one kind of event is observed, or why it is not. */
export interface Hook {
  /** The key of the plugin's probe. */
  readonly observes: string;
  /** The program in use and where it is attached; absent: not observed. */
  readonly program?: string;
  readonly at?: string;
  /** The better programs that this kernel or this process cannot use, and why. */
  readonly refused: readonly RefusedProgram[];
  /** What is lost if it is not observed; absent: the plugin requires it. */
  readonly lostWithout?: string;
  /** The plugin cannot serve its main purpose without it. */
  readonly degrades?: true;
}

export interface RefusedProgram {
  readonly program: string;
  readonly at: string;
  readonly why: string;
}

export interface ObjectOptions {
  readonly name: string;
  /** The built object's path. */
  readonly path: string;
  readonly skeleton: Skeleton;
  readonly probes: Readonly<Record<string, Probe>>;
  readonly constants?: Readonly<Record<string, ConstantValue | undefined>>;
  /** Rows of the maps that the programs read, written before they are attached. */
  readonly inputs?: Readonly<Record<string, readonly InputRow[]>>;
  readonly reuse?: Readonly<Record<string, BpfMap>>;
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Maps that are reused from where they are pinned; those with an empty path are not created. */
  readonly pinned?: Readonly<Record<string, string>>;
  /** Programs that are loaded now, those of probes only if they are chosen, and attached explicitly later. */
  readonly later?: readonly string[];
  /** Iterators over connections that most hosts never need: loaded by the first `Loaded.runRare`. */
  readonly rare?: readonly string[];
  /** Joined by the programs on their hooks, instead of being attached. */
  readonly chains?: readonly Chain[];
}

export interface Loaded {
  readonly object: BpfObject;
  readonly hooks: readonly Hook[];
  /** Runs programs that were left out as rare, each over all connections. */
  runRare(programs: readonly string[]): Promise<void>;
}

/** The kernel's ids of system calls' tracepoints, and the capability required to read them. */
export const TRACEFS =
  "its number is in tracefs, which is open to root only: run as root, or mount tracefs and add CAP_DAC_READ_SEARCH";

/** Suffix of a second program on a hook, which calls the first: bpf/include/wirespan/second_program.h. */
const NESTED = "_nested";

const OF_PROCESS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOSYS"]);

function nameOf(candidate: Candidate<string>): string {
  return typeof candidate === "string" ? candidate : candidate.program;
}

const ofFunctions = (kind: string): boolean => kind === "fentry" || kind === "fexit";

/** By the answer of `native.tryKind("fentry")`: called once, because it takes as long as a load. */
const functions = new WeakMap<Native, string>();

/** The code with which this kernel refuses to trace functions; "" if it does not, or it is unknown. */
function refusesFunctions(native: Native): string {
  let code = functions.get(native);
  if (code === undefined) {
    code = native.tryKind("fentry") ?? "";
    if (OF_PROCESS.has(code)) return "";
    functions.set(native, code);
  }
  return code;
}

/** Why this kernel does not have a hook; undefined if it does. */
function absence(native: Native, at: string, args: number): string | undefined {
  const [kind = "", target = ""] = at.split("/");
  if (kind === "tp_btf" || kind === "raw_tp") {
    const arity = native.tracepointArity(target);
    if (arity < 0) return `this kernel has no tracepoint ${target}`;
    if (arity < args) return `this kernel's ${target} has ${arity} arguments, ${args} are required`;
  }
  if (ofFunctions(kind)) {
    const arity = native.functionArity(target);
    if (arity < 0) return `this kernel has no function ${target}`;
    if (args > 0 && arity !== args) return `this kernel's ${target} takes ${arity} arguments, not ${args}`;
    const code = refusesFunctions(native);
    if (code === "EPERM") return notPermitted(native, kind);
    if (code !== "") return `${code}: this kernel refuses ${kind}`;
  }
  return undefined;
}

/** Why programs of a type are not permitted. */
function notPermitted(native: Native, kind: string): string {
  const { lockdown } = native.features();
  if (ofFunctions(kind) && lockdown !== "none")
    return `EPERM: the kernel refuses ${kind} (lockdown: ${lockdown})`;
  return `EPERM: ${explainBpfRefusal(lockdown)}`;
}

/** Goes through the candidates of every probe; what the kernel refuses is dropped and never tried again. */
class ProgramChoice {
  readonly #native: Native;
  readonly #options: ObjectOptions;
  readonly #refused = new Map<string, string>();

  constructor(native: Native, options: ObjectOptions) {
    this.#native = native;
    this.#options = options;
    const { probes, skeleton } = options;
    for (const candidate of Object.values(probes).flatMap((p) => p.programs)) {
      const args = typeof candidate === "string" ? 0 : candidate.args;
      const why = absence(native, skeleton.programs[nameOf(candidate)] ?? "", args);
      if (why) this.#refused.set(nameOf(candidate), why);
    }
  }

  /** Throws BPF_NO_HOOK if something that the plugin needs cannot be observed at all. */
  hooks(): Hook[] {
    const { name, probes, skeleton } = this.#options;
    return Object.entries(probes).map(([observes, probe]) => {
      const names = probe.programs.map(nameOf);
      const program = names.find((n) => !this.#refused.has(n));
      const before = program === undefined ? names : names.slice(0, names.indexOf(program));
      const refused = before.map((n) => ({
        program: n,
        at: skeleton.programs[n] ?? "",
        why: this.#refused.get(n)!,
      }));
      if (program === undefined && probe.lostWithout === undefined) {
        const tried = refused.map((r) => `${r.at}: ${r.why}`);
        throw new WirespanError("BPF_NO_HOOK", `${name} cannot observe ${observes}: ${tried.join("; ")}`);
      }
      const taken = program === undefined ? {} : { program, at: skeleton.programs[program]! };
      return {
        observes,
        refused,
        ...taken,
        ...(probe.lostWithout !== undefined && { lostWithout: probe.lostWithout }),
        ...(probe.degrades && { degrades: probe.degrades }),
      };
    });
  }

  /** Drops the program that an error is about; throws the error if it is about none of them. */
  reject(error: NativeError, programs: readonly string[]): void {
    const program = error.program;
    const known = program !== undefined && programs.includes(program);
    // What this process or the host lacks would affect every other program, too.
    if (!known || OF_PROCESS.has(error.code) || this.#isBasic(error)) throw this.#explain(error);
    // Permissions concern a type of hook, and programs that work together must not be of two types.
    const forbidden = error.code === "EPERM" || (error.code === "EACCES" && error.step === "attach");
    const why = this.#why(error);
    for (const other of Object.values(this.#options.probes).flatMap((p) => p.programs.map(nameOf))) {
      if (this.#refused.has(other)) continue;
      if (other === program || (forbidden && this.#kindOf(other) === this.#kindOf(program))) {
        this.#refused.set(other, why);
      }
    }
  }

  /** Refused only if nothing may be loaded, since everything depends on such programs. */
  #isBasic({ code, program = "" }: NativeError): boolean {
    return code === "EPERM" && ["tp_btf", "iter", "syscall"].includes(this.#kindOf(program));
  }

  #kindOf(program: string): string {
    return this.#options.skeleton.programs[program]?.split("/")[0] ?? "";
  }

  #why(error: NativeError): string {
    const kind = this.#kindOf(error.program ?? "");
    const denied = error.code === "EPERM" || error.code === "EACCES";
    if (denied && kind === "tp" && error.step === "attach") return `${error.code}: ${TRACEFS}`;
    // Otherwise EACCES is the verifier's code for an error in the program.
    if (error.code === "EPERM") return notPermitted(this.#native, kind);
    return `${error.code} at ${error.step}: ${error.message}`;
  }

  #explain(error: NativeError): WirespanError {
    const { name, pinned = {} } = this.#options;
    const map = /^take pinned map (.*)$/.exec(error.step)?.[1];
    if (map !== undefined) {
      const why = error.detail || (error.code === "ENOENT" ? "nothing is pinned there" : error.code);
      return new WirespanError("CONFIG_INVALID", `${name}: filter: the map at ${pinned[map]}: ${why}`, {
        cause: error,
      });
    }
    return explained(name, error, this.#native.features().lockdown);
  }
}

/** From an object's file, according to its BTF. */
function layoutOf(elf: Buffer): string {
  if (Object.keys(KNOWN_LAYOUTS).length === 0) return readObject(elf).hash;
  return KNOWN_LAYOUTS[createHash("sha256").update(elf).digest("hex")] ?? readObject(elf).hash;
}

function readFile({ name, path }: ObjectOptions): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw explained(name, cause, "unknown");
    throw new WirespanError("BPF_OBJECT_MISSING", `${path} does not exist; build it with: npm run build`, {
      cause,
    });
  }
}

function fill(object: BpfObject, { name, skeleton, inputs = {} }: ObjectOptions): void {
  for (const [input, rows] of Object.entries(inputs)) {
    const { key, value } = skeleton.inputs![input]!;
    const map = object.map(input);
    for (const [k, v] of rows) {
      map.update(
        packConstant(`${name}.${input} key`, key, k),
        packConstant(`${name}.${input} value`, value, v),
      );
    }
  }
}

type Constants = NonNullable<ObjectOptions["constants"]>;

function packed(name: string, skeleton: Skeleton, constants: Constants): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(constants).flatMap(([key, value]) => {
      const layout = skeleton.constants[key];
      return layout && value !== undefined ? [[key, packConstant(`${name}.${key}`, layout, value)]] : [];
    }),
  );
}

/** `has_<program>`: for programs that leave an event to a better one. */
function presence(skeleton: Skeleton, chosen: readonly string[]): Constants {
  return Object.fromEntries(Object.keys(skeleton.programs).map((p) => [`has_${p}`, chosen.includes(p)]));
}

/** Stops observing; the maps stay. Detaching what is not attached does nothing. */
export function detachAll(object: BpfObject): void {
  for (const { name } of object.programs()) object.detach(name);
}

/** Another object, which shares the maps of `beside`; its programs are that one's from then on. */
async function loadRare(
  native: Native,
  options: ObjectOptions,
  beside: BpfObject,
  constants: Constants,
): Promise<void> {
  const { name, skeleton, rare = [], pinned = {} } = options;
  const elf = readFile(options);
  const maps = [...readObject(elf).maps, ...(skeleton.runtimeConfig ? [".bss"] : [])].filter(
    (map) => !(map in pinned),
  );
  const object = await native.load(name, elf, {
    programs: rare,
    constants: packed(name, skeleton, constants),
    reuse: Object.fromEntries(maps.map((map) => [map, beside.map(map)])),
    pinned,
  });
  try {
    for (const program of rare) beside.adoptIterator(object, program, "conns");
  } finally {
    object.close();
  }
}

/** Loads and attaches. A failure leaves nothing in the kernel. */
export async function loadObject(native: Native, options: ObjectOptions): Promise<Loaded> {
  const { name, skeleton } = options;
  const elf = readFile(options);
  const hash = layoutOf(elf);
  if (hash !== skeleton.hash) {
    throw new WirespanError(
      "BPF_LAYOUT",
      `${name}: ${options.path} (layout ${hash}) and its reader (layout ${skeleton.hash}) differ; run: npm run build && npm run gen`,
    );
  }
  const choice = new ProgramChoice(native, options);
  const later = options.later ?? [];
  const probed = new Set(Object.values(options.probes).flatMap((p) => p.programs.map(nameOf)));
  const aside = Object.entries(skeleton.programs)
    .filter(([, at]) => at.startsWith("iter/") || at === "syscall")
    .map(([program]) => program)
    .filter((program) => !options.rare?.includes(program));
  for (;;) {
    const hooks = choice.hooks();
    // One program may observe several things.
    const chosen = [...new Set(hooks.flatMap((h) => (h.program === undefined ? [] : [h.program])))];
    const constants = { ...options.constants, ...presence(skeleton, chosen) };
    let object: BpfObject | undefined;
    try {
      object = await native.load(name, elf, {
        programs: [...chosen, ...aside, ...later.filter((program) => !probed.has(program))],
        constants: packed(name, skeleton, constants),
        ...(options.reuse && { reuse: options.reuse }),
        ...(options.maxEntries && { maxEntries: options.maxEntries }),
        ...(options.pinned && { pinned: options.pinned }),
      });
      fill(object, options);
      for (const program of chosen.filter((name) => name.endsWith(NESTED)))
        object.place(program.slice(0, -NESTED.length), object.map("first_program"), 0);
      for (const program of chosen) {
        const chain = options.chains?.find(({ hook }) => hook === skeleton.programs[program]);
        if (chain) chain.join(object, program, skeleton.links![program]!);
        else if (!later.includes(program)) object.attach(program);
      }
      const loaded = object;
      let hasRare = false;
      return {
        object,
        hooks,
        async runRare(programs) {
          if (!hasRare) await loadRare(native, options, loaded, constants);
          hasRare = true;
          for (const program of programs) await loaded.iterate(program, "conns");
        },
      };
    } catch (error) {
      if (object) for (const chain of options.chains ?? []) chain.leave(object);
      object?.close();
      choice.reject(error as NativeError, chosen);
    }
  }
}
