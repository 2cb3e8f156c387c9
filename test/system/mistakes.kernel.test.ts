// Mistakes other than wrong flags and keys: each gets one message that says what, where and how to fix it, and a
// distinct exit code.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { native } from "../../native/index.ts";
import { startAgent } from "../support/agent.ts";
import { asUser, after as first, launch } from "../support/launch.ts";
import { needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";

/** Refuses some system calls with an errno, as containers' profiles do. */
const SECCOMP = `#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int, char **a) {
  sock_filter f[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | unsigned(atoi(a[1]))),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog p = {4, f};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &p)) return 9;
  execvp(a[2], a + 2);
  return 8;
}`;

const limit = (words: string): string[] => ["sh", "-c", `ulimit ${words}; exec "$@"`, "sh"];
const GRANT = "(AmbientCapabilities= in a unit, --cap-add of a container)";
const NEEDS = "connections: loading BPF requires root, or CAP_BPF and CAP_PERFMON";
const RAISE = "raise the limit (ulimit -n 1024, LimitNOFILE= in a unit)";

describe("a mistake", () => {
  let folder: string;
  const path = (name: string): string => join(folder, name);

  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-mistakes-"));
    await chmod(folder, 0o755);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function seccomp(errno: number): Promise<string[]> {
    await writeFile(path("refuse.cc"), SECCOMP);
    execFileSync("c++", ["-o", path("refuse"), path("refuse.cc")]);
    return [path("refuse"), String(errno)];
  }

  /** Exit code and whole standard error of an agent that never starts to run. */
  const privileges: Record<
    string,
    { launcher: () => string[] | Promise<string[]>; code: number; says: string; set?: string }
  > = {
    "no capability": {
      launcher: () => asUser(),
      code: 4,
      says: `${NEEDS}; missing here: CAP_BPF and CAP_PERFMON ${GRANT}`,
    },
    "only one of two capabilities": {
      launcher: () => asUser("bpf"),
      code: 4,
      says: `${NEEDS}; missing here: CAP_PERFMON ${GRANT}`,
    },
    "root of a container that keeps few capabilities": {
      launcher: () => [
        "setpriv",
        "--bounding-set=-bpf,-perfmon,-sys_admin",
        "--inh-caps=-bpf,-perfmon,-sys_admin",
        "--",
      ],
      code: 4,
      says: `${NEEDS}; this root lacks CAP_BPF and CAP_PERFMON ${GRANT}`,
    },
    "root of a user namespace": {
      launcher: () => ["unshare", "-Ur", "--"],
      code: 4,
      says: "connections: loading BPF is refused: this process is in a user namespace (rootless container, unshare -U), whose capabilities do not apply to BPF: run it in the host's",
    },
    "a seccomp profile that refuses bpf()": {
      launcher: () => seccomp(1),
      code: 4,
      says: "connections: loading BPF is refused by a seccomp filter, although the capabilities are there: let its profile allow bpf and perf_event_open (--security-opt seccomp=FILE, or SystemCallFilter=bpf perf_event_open)",
    },
    "a seccomp profile that hides bpf()": {
      launcher: () => seccomp(38),
      code: 4,
      says: "connections: a seccomp filter hides bpf() from this process: let its profile allow bpf and perf_event_open",
    },
    "a kernel without BTF": {
      launcher: () => first("mount -t tmpfs none /sys/kernel/btf"),
      code: 3,
      says: `Linux ${release()} has no BTF (/sys/kernel/btf/vmlinux does not exist): wirespan requires a kernel built with CONFIG_DEBUG_INFO_BTF=y, as all major distributions do.`,
    },
    "no /proc": {
      launcher: () => first("umount -l /proc"),
      code: 5,
      says: "/proc is not mounted: wirespan identifies processes by it; mount it (mount -t proc proc /proc).",
    },
    "too few descriptors for anything": {
      launcher: () => limit("-n 64"),
      code: 5,
      says: `connections: too few file descriptors: the limit is 64; ${RAISE}`,
    },
    "run-time statistics without CAP_SYS_ADMIN": {
      launcher: () => asUser("bpf", "perfmon"),
      code: 4,
      says: "self.bpfStats: measuring run times requires root or CAP_SYS_ADMIN",
      set: "self.bpfStats=true",
    },
  };
  for (const [what, { launcher, code, says, set = "strict=false" }] of Object.entries(privileges)) {
    it(`with privileges or limits is reported: ${what}`, async () => {
      const started = await launcher();
      const agent = await launch(["--plugin", "tcplife", "--set", "control.socket=", "--set", set], {
        launcher: started,
      });
      assert.deepEqual([agent.code, agent.err], [code, `wirespan: ${says}\n`]);
      if (set !== "strict=false") return;
      const doctor = await launch(["doctor"], { launcher: started });
      assert.equal(doctor.code, 1, doctor.out);
      assert.ok(doctor.out.includes(`: ${says}\n`), doctor.out);
      assert.doesNotMatch(doctor.out + doctor.err, /unexpected|\n {4}at /);
    });
  }

  // How far loading a plugin gets before no descriptor is left varies.
  for (const limits of [140, 200, 300]) {
    it(`with privileges or limits is reported: too few descriptors for every plugin: ${limits}`, async () => {
      const launcher = limit(`-n ${limits}`);
      const { code, err } = await launch(["--set", "control.socket="], { launcher });
      assert.equal(code, 0, err);
      const lines = err
        .trim()
        .split("\n")
        .map(
          (line) => JSON.parse(line) as { level?: string; plugin?: string; msg?: string; plugins?: string[] },
        );
      // Reading trace contexts may fail, too, which is not a plugin's failure.
      const out = lines.filter(({ level, plugin }) => level === "error" && plugin !== undefined);
      assert.ok(out.length > 0 && out.length < 13, err);
      const why = `too few file descriptors: the limit is ${limits}; .*LimitNOFILE= in a unit\\)`;
      for (const { plugin, msg } of out) assert.match(msg!, new RegExp(`^plugin ${plugin} disabled: ${why}`));
      const running = lines.find(({ plugins }) => plugins)?.plugins ?? [];
      assert.equal(running.length + out.length, 13);
      const strict = await launch(["--set", "control.socket=", "--set", "strict=true"], { launcher });
      assert.equal(strict.code, 5);
      assert.match(strict.err, new RegExp(`^wirespan: \\w+: ${why}\n$`));
    });
  }

  it("with privileges or limits is reported: functions under lockdown", async function () {
    const { lockdown } = native.features();
    if (lockdown !== "integrity") skip(this, "this kernel is not locked down");
    const { code, out } = await launch(["doctor", "--plugin", "solisten"]);
    assert.equal(code, 0);
    assert.match(out, /^ {6}not fexit\/\S+: EPERM: the kernel refuses fexit \(lockdown: integrity\)$/m);
  });

  const files: Record<
    string,
    {
      make?: (at: string) => unknown;
      args: (at: string) => string[];
      code?: number;
      says: (at: string) => string;
      as?: () => string[];
    }
  > = {
    "a configuration that is not there": {
      args: (at) => ["--config", at],
      says: (at) => `Cannot read the configuration ${at}: there is no such file.`,
    },
    "a configuration that is a pipe": {
      make: (at) => execFileSync("mkfifo", [at]),
      args: (at) => ["--config", at],
      says: (at) => `Cannot read the configuration ${at}: it is a pipe, not a file.`,
    },
    "a configuration that is a folder": {
      make: (at) => mkdir(at),
      args: (at) => ["--config", at],
      says: (at) => `Cannot read the configuration ${at}: it is a folder, not a file.`,
    },
    "a configuration that is a device": {
      make: (at) => symlink("/dev/zero", at),
      args: (at) => ["config", "check", at],
      says: (at) => `Cannot read the configuration ${at}: it is a device, not a file.`,
    },
    "a configuration of another user's": {
      make: (at) => writeFile(at, "version: 1\n", { mode: 0o600 }),
      args: (at) => ["config", "check", at],
      says: (at) => `Cannot read the configuration ${at}: permission denied.`,
      as: () => asUser(),
    },
    "a secret's file that is a folder": {
      make: (at) => mkdir(at),
      args: (at) => ["config", "check", "--set", `ids.salt=file:${at}`],
      says: (at) =>
        `The configuration has an error; nothing was started.\n--set: ids.salt: cannot read the file ${at}: it is a folder, not a file`,
    },
    "a map that is not pinned": {
      args: (at) => ["--plugin", "tcplife", "--set", `filter.cgroupMap=${at}`, "--set", "control.socket="],
      says: (at) => `tcplife: filter: the map at ${at}: nothing is pinned there`,
    },
    "a bundle that would take a folder's place": {
      make: (at) => mkdir(at),
      args: (at) => ["doctor", "--plugin", "softirqs", "--bundle", at],
      code: 1,
      says: (at) =>
        `The bundle cannot be written: EISDIR: illegal operation on a directory, open '${at}'; name another file.`,
    },
    "a control socket that is not there": {
      args: (at) => ["status", "--socket", at],
      says: (at) =>
        `No agent listens on ${at} (there is no such socket); is one running, as this user? --socket names another path.`,
    },
    "a control socket that is a file": {
      make: (at) => writeFile(at, ""),
      args: (at) => ["reload", "--socket", at],
      says: (at) =>
        `control.socket: ${at}: it is a file, not a socket, and is left as it is; name another path, or fix that one (\`ls -ld\` shows it).`,
    },
    "a control socket of another user's": {
      make: async (at) => {
        const server = createServer().listen(at).unref();
        await new Promise((resolve) => server.once("listening", resolve));
        execFileSync("chown", ["65533", at]);
      },
      args: (at) => ["status", "--socket", at],
      says: (at) =>
        `control.socket: ${at}: it belongs to user 65533, not to user 65534: someone else may answer in place of the agent; name another path, or fix that one (\`ls -ld\` shows it).`,
      as: () => asUser(),
    },
    "a full disk below standard output": {
      args: () => ["trace", "softirqs", "0.2", "2"],
      code: 1,
      as: () => ["sh", "-c", 'exec "$@" >/dev/full', "sh"],
      says: () => "Writing to standard output failed: see above.",
    },
  };
  for (const [what, { make, args, code = 2, says, as = () => [] }] of Object.entries(files)) {
    it(`with files, sockets or folders is reported: ${what}`, async () => {
      await make?.(path("x"));
      const ran = await launch(args(path("x")), { launcher: as() });
      const said = ran.err
        .replace(/^\{"ready".*\n/gm, "")
        .replace(/^wirespan: \d+ lines are missing: ENOSPC: .*\n/gm, "")
        .replace(/^\{.*"this kernel did not show .*\n/gm, "");
      assert.deepEqual([ran.code, said], [code, `wirespan: ${says(path("x"))}\n`]);
    });
  }

  const UNCHANGED = "reload rejected, the running configuration is unchanged.";
  const start =
    "version: 1\nplugins: { tcpaccept: { acceptHook: false } }\nexporters: { c: { type: console } }\n";
  const reloads: Record<
    string,
    { change: (file: string) => unknown; code: number; says: (file: string) => string }
  > = {
    "its file is gone": {
      change: (file) => rm(file),
      code: 2,
      says: (file) => `Cannot read the configuration ${file}: there is no such file; ${UNCHANGED}`,
    },
    "its file is a folder now": {
      change: async (file) => {
        await rm(file);
        await mkdir(file);
      },
      code: 2,
      says: (file) => `Cannot read the configuration ${file}: it is a folder, not a file; ${UNCHANGED}`,
    },
    "its file is no YAML": {
      change: (file) => writeFile(file, `${start}filter: [\n`),
      code: 2,
      says: (file) =>
        `The configuration has an error; ${UNCHANGED}\n${file}:5:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]`,
    },
    "it has an unknown key and a wrong value": {
      change: (file) => writeFile(file, `${start}fliter: {}\nmetrics: { interval: 700h }\n`),
      code: 2,
      says: (file) =>
        `The configuration has 2 errors; ${UNCHANGED}\n${file}:4: fliter: unknown key; did you mean filter?\n${file}:5: metrics.interval: expected a duration of at most 596h, got "700h"`,
    },
    "a filter names a process that is gone": {
      change: (file) => writeFile(file, `${start}filter: { include: { netns: ["pid:4194304"] } }\n`),
      code: 2,
      says: () => `filter: netns pid:4194304: there is no such process; ${UNCHANGED}`,
    },
    "a filter names a map that is not pinned": {
      change: (file) => writeFile(file, `${start}filter: { cgroupMap: /no/such/map }\n`),
      code: 2,
      says: () => `correlation: filter: the map at /no/such/map: nothing is pinned there; ${UNCHANGED}`,
    },
    "it asks for a hook that only a start can set": {
      change: (file) => writeFile(file, start.replace("false", "true")),
      code: 2,
      says: () => `Ends of accept() can only be observed from the agent's start; restart it; ${UNCHANGED}`,
    },
  };
  for (const [what, { change, code, says }] of Object.entries(reloads)) {
    it(`during reload is reported, and changes nothing: ${what}`, async () => {
      const file = path("wirespan.yaml");
      const socket = path("control.sock");
      await writeFile(file, start);
      await using agent = await startAgent([
        "--plugin",
        "tcpaccept",
        "--config",
        file,
        "--set",
        `control.socket=${socket}`,
      ]);
      await change(file);
      const ran = await launch(["reload", "--socket", socket]);
      assert.deepEqual([ran.code, ran.err], [code, `wirespan: ${says(file)}\n`]);
      const status = await launch(["status", "--json", "--socket", socket]);
      const { plugins } = JSON.parse(status.out) as { plugins: object[] };
      assert.deepEqual(plugins, [{ name: "tcpaccept", state: "running" }]);
      process.kill(agent.pid, "SIGHUP");
      await launch(["status", "--socket", socket]);
      const { code: ended, stderr } = await agent.stop();
      assert.equal(ended, 0);
      const errors = stderr
        .map((line) => JSON.parse(line) as { level?: string; msg?: string; detail?: string })
        .filter(({ level }) => level === "error");
      const said = errors.map(({ msg, detail }) => (detail === undefined ? msg : `${msg}\n${detail}`));
      assert.deepEqual(said, [says(file), says(file)], "one line for each of two reloads");
    });
  }
});
