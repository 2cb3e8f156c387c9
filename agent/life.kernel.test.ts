// Signals and errors at any moment of an agent's life.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AGENT_FLAGS, startAgent } from "../test/support/agent.ts";
import { DEADLINE } from "../test/support/deadline.ts";
import { needsRoot } from "../test/support/netns.ts";
import { until } from "../test/support/until.ts";

const main = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const run = fileURLToPath(new URL("../tools/run.sh", import.meta.url));
const CONSOLE = 'version: 1\ncontrol: { socket: "" }\nexporters: { c: { type: console } }\n';

interface Started {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
}

function start(program: string, ...args: string[]): Started {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  return { child, said: () => said, ended };
}

/** Whether the process itself handles a signal. */
async function catches(pid: number, number: number): Promise<boolean> {
  const mask = /SigCgt:\s*([0-9a-f]+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(number - 1)) & 1n) === 1n;
}

/** The first and the last signal that the program handles. */
const [SIGHUP, SIGIO] = [1, 29];

describe("an agent that gets a signal", () => {
  let folder: string;
  let file: string;

  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-life-"));
    file = join(folder, "wirespan.yaml");
    await writeFile(file, CONSOLE);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("remembers a SIGHUP that arrives before it is ready", async () => {
    const { child, said, ended } = start(
      process.execPath,
      ...AGENT_FLAGS,
      main,
      "--plugin",
      "softirqs",
      "--config",
      file,
    );
    try {
      await until("it to know the signal", () => catches(child.pid!, SIGHUP));
      child.kill("SIGHUP");
      await until("it to be ready", () => said().includes('"ready":true'));
      await until("it to have read again", () => said().includes("configuration reloaded"));
      child.kill("SIGTERM");
      assert.deepEqual(await ended, { code: 0, signal: null });
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("survives SIGHUP during setup", async () => {
    const { child, said, ended } = start("sh", run, "agent", "--plugin", "softirqs", "--config", file);
    try {
      await sleep(20);
      child.kill("SIGHUP");
      await until("it to be ready", () => said().includes('"ready":true'));
      child.kill("SIGTERM");
      assert.deepEqual(await ended, { code: 0, signal: null });
    } finally {
      child.kill("SIGKILL");
    }
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`shuts down cleanly on ${signal} at any moment`, async () => {
      for (let delay = 0; delay < 1200; delay += 150) {
        const { child, said, ended } = start(process.execPath, ...AGENT_FLAGS, main, "--config", file);
        await until("it to know the signal", () => catches(child.pid!, SIGIO));
        await sleep(delay);
        child.kill(signal);
        const late = setTimeout(() => child.kill("SIGKILL"), DEADLINE);
        assert.deepEqual(await ended, { code: 0, signal: null }, `after ${delay} ms:\n${said()}`);
        clearTimeout(late);
        assert.doesNotMatch(said(), /unexpected| {4}at /);
      }
    });
  }

  it("stops immediately on a second signal, and reports what was not exported", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    try {
      await using agent = await startAgent(["--plugin", "softirqs"], {
        config: `version: 1
control: { socket: "" }
metrics: { interval: 200ms }
shutdown: { timeout: 60s }
exporters: { x: { type: otlp_http, endpoint: "http://127.0.0.1:${port}", timeout: 60s } }\n`,
      });
      await sleep(1000);
      process.kill(agent.pid, "SIGTERM");
      await sleep(1000);
      const { code, stderr } = await agent.stop("SIGTERM");
      assert.equal(code, 143);
      const last = stderr.at(-1) ?? "";
      const count =
        /^wirespan: ended immediately by a second SIGTERM; (\d+) spans, points and events were not exported$/.exec(
          last,
        )?.[1];
      assert.ok(Number(count) > 0, last);
    } finally {
      silent.close();
    }
  });

  it("opens no debugger on SIGUSR1, however it was started, and survives SIGUSR2 and SIGPIPE", async () => {
    const ways = [[process.execPath, main], [main], ["sh", run, "agent"]];
    for (const [program, ...words] of ways) {
      const { child, said, ended } = start(program!, ...words, "--plugin", "softirqs", "--config", file);
      await until("it to be ready", () => said().includes('"ready":true'));
      for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGCONT", "SIGWINCH"] as const)
        child.kill(signal);
      await sleep(500);
      child.kill("SIGTERM");
      assert.deepEqual(await ended, { code: 0, signal: null }, said());
      assert.doesNotMatch(said(), /[Dd]ebugger/);
    }
  });

  it("shuts down cleanly on other fatal signals, with the shell's exit code for each", async () => {
    for (const [signal, number] of [
      ["SIGALRM", 14],
      ["SIGXCPU", 24],
    ] as const) {
      await using agent = await startAgent(["--plugin", "softirqs"], { config: CONSOLE });
      process.kill(agent.pid, signal);
      const { code, stderr } = await agent.ended();
      assert.equal(code, 128 + number, stderr.join("\n"));
      assert.ok(stderr.some((line) => line.includes('"msg":"stopping"')));
    }
  });

  const faults = {
    error: 'throw new Error("boom\\u001b[2J\\nsecond line")',
    rejection: 'Promise.reject(new Error("boom\\u001b[2J\\nsecond line"))',
  };
  for (const [what, fault] of Object.entries(faults)) {
    it(`shuts down cleanly after an unhandled ${what}`, async () => {
      const bomb = `data:text/javascript,process.on("SIGWINCH", () => { ${fault} })`;
      const { child, said, ended } = start(
        process.execPath,
        "--import",
        bomb,
        main,
        "--plugin",
        "softirqs",
        "--config",
        file,
      );
      await until("it to be ready", () => said().includes('"ready":true'));
      child.kill("SIGWINCH");
      assert.deepEqual(await ended, { code: 1, signal: null }, said());
      const lines = said().trim().split("\n");
      assert.ok(lines.some((line) => line.includes('"msg":"stopping"')));
      assert.equal(
        lines.at(-1),
        "wirespan: unexpected: boom [2J second line (WIRESPAN_LOG_LEVEL=debug shows the stack)",
      );
    });
  }
});
