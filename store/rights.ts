// Drops privileges that the store does not need once its file and its address are open. Tests:
// test/system/viewer.kernel.test.ts.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** User ids in the range of systemd's DynamicUser=. */
const DYNAMIC = { first: 61_184, count: 4336 };

/**
 * oom_score_adj with which the kernel kills the store before the agent when memory is short
 * (proc_pid_oom_score_adj(5)).
 */
const OOM_SCORE = "500";

/** Becomes a user without any files, if it is root; runs at a lower priority in any case. */
export function dropPrivileges(file: string): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", OOM_SCORE);
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Nothing else depends on it.
  }
  if (process.getuid?.() !== 0) return;
  const uid = freeUser(file);
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
}

/** A user id without an account and without a process. */
function freeUser(file: string): number {
  const accounts = new Set(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => Number(line.split(":")[2])),
  );
  const running = usersOfProcesses();
  const start = [...Buffer.from(file)].reduce((hash, byte) => (hash * 31 + byte) % DYNAMIC.count, 0);
  for (let tried = 0; tried < DYNAMIC.count; tried++) {
    const candidate = DYNAMIC.first + ((start + tried) % DYNAMIC.count);
    if (!accounts.has(candidate) && !running.has(candidate)) return candidate;
  }
  throw new Error("no user id is free for the viewer's store");
}

function usersOfProcesses(): ReadonlySet<number> {
  const users = new Set<number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      users.add(statSync(`/proc/${entry}`).uid);
    } catch {
      // It has ended.
    }
  }
  return users;
}
