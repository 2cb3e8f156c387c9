// Control groups (v2) that tests make. Needs root.
import { mkdirSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { cgroup2Mount } from "../../core/identity/cgroup-paths.ts";
import { skip } from "./skip.ts";

let made = 0;

/** One group; disposal removes it after its last process has ended. */
export class Cgroup implements AsyncDisposable {
  readonly #mount: string;
  /** The path below the mount, as in filters. */
  readonly path: string;

  private constructor(mount: string, path: string) {
    this.#mount = mount;
    this.path = path;
    mkdirSync(this.#folder);
  }

  /** Creates a group at the top; skips the test if no cgroup v2 is mounted. */
  static create(context: Mocha.Context): Cgroup {
    const mount = cgroup2Mount() ?? skip(context, "no cgroup v2 is mounted");
    return new Cgroup(mount, `/wirespan-${process.pid}-${++made}`);
  }

  child(name: string): Cgroup {
    return new Cgroup(this.#mount, `${this.path}/${name}`);
  }

  get #folder(): string {
    return join(this.#mount, this.path);
  }

  get id(): bigint {
    return statSync(this.#folder, { bigint: true }).ino;
  }

  /** The file that lists its processes and accepts new ones. */
  get processes(): string {
    return join(this.#folder, "cgroup.procs");
  }

  add(pid: number): void {
    writeFileSync(this.processes, String(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        rmdirSync(this.#folder);
        return;
      } catch (error) {
        if (tries === 200) throw error;
        await delay(10);
      }
    }
  }
}
