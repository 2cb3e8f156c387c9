// How dropped packets are observed, by plugins whose programs DROP_PROGRAMS (bpf/include/wirespan/hooks/drop.h) defines.
// Tests: plugins/tcpdrop/tcpdrop.kernel.test.ts.
import type { Candidate } from "../plugin.ts";

/** Only newer kernels report the receiving socket of a drop. */
export const DROPS = [
  { program: "on_drop_with_socket", args: 4 },
  { program: "on_drop_without", args: 3 },
] as const satisfies readonly Candidate<string>[];

/** Attached next: bpf/include/wirespan/reentrancy.h. */
export const NESTED_DROPS = [
  { program: "on_drop_with_socket_nested", args: 4 },
  { program: "on_drop_without_nested", args: 3 },
] as const satisfies readonly Candidate<string>[];
