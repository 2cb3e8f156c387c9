import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { heldPrograms, loadedPrograms } from "../support/bpf-programs.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Processes of a session, except zombies. */
function session(id: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const stat = readText(`/proc/${pid}/stat`, (file) => readFileSync(file, "utf8"));
      const [state, , , sid] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
      return Number(sid) === id && state !== "Z";
    })
    .map(Number);
}

/** The result of `read`, or undefined if the process or the descriptor has just gone. */
function readText<T>(path: string, read: (path: string) => T): T | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

describe("npm start", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`leaves no process and no BPF program after ${signal} to npm`, async () => {
      const before = loadedPrograms();
      // In its own session, so that whatever it leaves behind can be found.
      const npm: ChildProcess = spawn("npm", ["--silent", "start"], {
        cwd: root,
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      npm.stderr?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      await once(npm, "spawn");
      const pid = npm.pid ?? assert.fail("npm has no pid");
      try {
        const ours = await until("the agent's BPF programs", () => {
          assert.equal(npm.exitCode, null, `npm start ended by itself:\n${said}`);
          const tags = session(pid).flatMap(heldPrograms);
          const lines = [...loadedPrograms().difference(before)];
          const own = lines.filter((line) => tags.some((tag) => line.includes(`bpf_prog_${tag}_`)));
          return tags.length > 0 && own.length >= new Set(tags).size && own;
        });

        const gone = once(npm, "exit");
        process.kill(pid, signal);
        await gone;

        assert.deepEqual(session(pid), []);
        // The kernel frees a program a moment after its last descriptor is closed.
        await until("the kernel to free the programs", () => {
          const now = loadedPrograms();
          return ours.every((line) => !now.has(line));
        });
      } finally {
        for (const left of session(pid)) process.kill(left, "SIGKILL");
      }
    });
  }
});
