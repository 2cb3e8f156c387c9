// A fake /proc made of files, read by the real reader.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface FakeProcess {
  readonly pid: number;
  readonly startTicks?: number;
  readonly comm?: string;
  /** Undefined if the link cannot be read. */
  readonly exe?: string | undefined;
  readonly cgroup?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  /** The payload that its SDK publishes (OTEP 4719). */
  readonly published?: Buffer;
  /** As in /proc/PID/stat. */
  readonly state?: string;
  readonly parent?: number;
}

/** Executables with their numbers, as in the kernel's table. */
export class FakeExecutables {
  readonly #names = [""];

  number(name: string): number {
    const known = this.#names.indexOf(name);
    return known >= 0 ? known : this.#names.push(name) - 1;
  }

  name(number: number): string {
    return this.#names[number] ?? "";
  }
}

/** A mapping of one page, with the payload after its header. */
function publish(folder: string, payload: Buffer): void {
  const at = 0x10000;
  const header = Buffer.alloc(32);
  header.write("OTEL_CTX");
  header.writeUInt32LE(2, 8);
  header.writeUInt32LE(payload.length, 12);
  header.writeBigUInt64LE(1n, 16);
  header.writeBigUInt64LE(BigInt(at + header.length), 24);
  const name = "/memfd:OTEL_CTX (deleted)";
  writeFileSync(join(folder, "maps"), `00010000-00011000 rw-p 00000000 00:01 12 ${" ".repeat(20)}${name}\n`);
  writeFileSync(join(folder, "mem"), Buffer.concat([Buffer.alloc(at), header, payload]));
}

export class FakeProc {
  readonly root = mkdtempSync(join(tmpdir(), "wirespan-proc-"));

  /** Writes a process, replacing any other with that pid. */
  set(process: FakeProcess): void {
    this.remove(process.pid);
    this.#write(join(this.root, `${process.pid}`), process);
  }

  /** Writes a thread of a process. */
  thread(pid: number, tid: number, thread: FakeProcess): void {
    this.#write(join(this.root, `${pid}`, "task", `${tid}`), thread);
  }

  #write(folder: string, process: FakeProcess): void {
    const { pid, startTicks = 1000, comm = "prog", exe, cgroup = "0::/\n", env = {} } = process;
    mkdirSync(folder, { recursive: true });
    const upTo22 = [
      pid,
      `(${comm})`,
      process.state ?? "S",
      process.parent ?? 0,
      ...new Array(17).fill(0),
      startTicks,
    ];
    writeFileSync(join(folder, "stat"), `${upTo22.join(" ")} 47022080 3927 0\n`);
    writeFileSync(join(folder, "cgroup"), cgroup);
    writeFileSync(
      join(folder, "environ"),
      Object.entries(env)
        .map(([key, value]) => `${key}=${value}\0`)
        .join(""),
    );
    writeFileSync(join(folder, "cmdline"), (process.argv ?? []).map((word) => `${word}\0`).join(""));
    if (process.published) publish(folder, process.published);
    if (exe !== undefined) symlinkSync(exe, join(folder, "exe"));
  }

  remove(pid: number): void {
    rmSync(join(this.root, `${pid}`), { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}
