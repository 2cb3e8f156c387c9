// Which BPF programs the kernel has, told without any tool.
import { readFileSync } from "node:fs";

/**
 * One line of /proc/kallsyms for every loaded BPF program, ending in `bpf_prog_TAG_NAME`, a tab and
 * `[bpf]`. It begins with the program's address, so the same program loaded again is another line.
 * Only root sees the addresses.
 */
export function loadedPrograms(): Set<string> {
  const symbols = readFileSync("/proc/kallsyms", "utf8").split("\n");
  return new Set(symbols.filter((line) => line.endsWith("\t[bpf]") && line.includes(" bpf_prog_")));
}
