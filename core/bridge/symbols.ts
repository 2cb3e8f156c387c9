// Names of kernel addresses, as the kernel itself formats them: this avoids reading /proc/kallsyms, which takes some
// hundred milliseconds, and covers modules that are loaded later. Tests: symbols.kernel.test.ts.

/** The address, and room for a name: `struct named_address` of bpf/tracker/symbol.h. */
const [NAME_AT, BYTES] = [8, 136];

export class KernelSymbols {
  readonly #run: (context: Uint8Array) => number;
  /** By address; a double holds the upper half's lower bits, which is where addresses differ. */
  readonly #known = new Map<number, string | undefined>();

  /** `run` calls the program `name_address` of the tracker. */
  constructor(run: (context: Uint8Array) => number) {
    this.#run = run;
  }

  /** `tcp_v4_rcv+0x1a2`; undefined if no function contains the address. Words as they are in memory. */
  name(word: number, high: number): string | undefined {
    const address = (high & 0xfffff) * 0x1_0000_0000 + word;
    if (this.#known.has(address)) return this.#known.get(address);
    const name = this.#ask(word, high);
    this.#known.set(address, name);
    return name;
  }

  #ask(word: number, high: number): string | undefined {
    const context = Buffer.alloc(BYTES);
    context.writeUInt32LE(word, 0);
    context.writeUInt32LE(high, 4);
    this.#run(context);
    const text = context.toString("latin1", NAME_AT, context.indexOf(0, NAME_AT));
    // `tcp_v4_rcv+0x1a2/0x5b0 [module]`, or the address itself.
    return /^.+\+0x[0-9a-f]+(?=\/)/.exec(text)?.[0];
  }
}
