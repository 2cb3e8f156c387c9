// Finds the BPF programs in the kernel without any tool.
import { readdirSync, readFileSync } from "node:fs";

/**
 * One line of /proc/kallsyms for every loaded BPF program, ending in `bpf_prog_TAG_NAME`, a tab and
 * `[bpf]`. It begins with the program's address, so loading the same program again gives a different line.
 * Only root sees the addresses.
 */
export function loadedPrograms(): Set<string> {
  const symbols = readFileSync("/proc/kallsyms", "utf8").split("\n");
  return new Set(symbols.filter((line) => line.endsWith("\t[bpf]") && line.includes(" bpf_prog_")));
}

/** Tags of the BPF programs that a process holds. */
export function heldPrograms(pid: number): string[] {
  return held(pid, "prog_tag");
}

/** Ids of the BPF links that a process holds: what it has attached. */
export function heldLinks(pid: number): string[] {
  return held(pid, "link_id");
}

/** The values of one key in the kernel's information about a process's file descriptors. */
function held(pid: number, key: string): string[] {
  const folder = `/proc/${pid}/fdinfo`;
  const line = new RegExp(`^${key}:\\s*(\\w+)$`, "m");
  const read = <T>(how: () => T, gone: T): T => {
    try {
      return how();
    } catch {
      return gone; // the process has ended, or has closed it
    }
  };
  const fds = read(() => readdirSync(folder), []);
  return fds.flatMap((fd) => line.exec(read(() => readFileSync(`${folder}/${fd}`, "utf8"), ""))?.[1] ?? []);
}
