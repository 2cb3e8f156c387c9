// The one catalogue of what can go wrong: a stable code, and a sentence that says what, where and how
// to mend it.

const catalogue = {
  CONFIG_INVALID: 2,
  CONFIG_UNREADABLE: 2,
  USAGE: 2,
  SETUP: 2,
  KERNEL_TOO_OLD: 3,
  KERNEL_NO_BTF: 3,
  PERMISSION: 4,
  BPF_OBJECT_MISSING: 5,
  BPF_LOAD: 5,
  BPF_NO_HOOK: 5,
  WIRE_LAYOUT: 5,
  PLUGIN_INVALID: 5,
  PLUGIN_FAILED: 5,
  NOTHING_RUNS: 5,
} as const;

export type ErrorCode = keyof typeof catalogue;

export class WirespanError extends Error {
  readonly code: ErrorCode;
  /** What does not belong in one line: a verifier log, a list of faults. */
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
