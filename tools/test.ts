// Runs the named suites one after the other and ends with a summary: what ran, what failed, and every
// skip with its reason. usage: test.ts SUITE[,SUITE...] [MOCHA ARGUMENTS]
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sayUnseen } from "../core/engine/balance.ts";
import expectedSkips from "../test/support/expected-skips.json" with { type: "json" };
import type { Failure, Report, Skip } from "../test/support/reporter.ts";
import { checks } from "./check.ts";

interface Suite {
  readonly files: readonly string[];
  readonly except: readonly string[];
  /** Milliseconds a test may take. */
  readonly timeout: number;
  readonly root: boolean;
  /** With the addon's sanitizer build; without leak detection, which would report all that V8 keeps. */
  readonly sanitized?: boolean;
}

/** Skips that are right on the machine that runs .ci/run; a title covers all that begin with it. */
const expected: readonly Skip[] = expectedSkips;
const anywhere =
  "{core,agent,cli,config,correlate/{go,node/test,python},exporters,plugins,tools,test,bench}/**";
const suites: Readonly<Record<string, Suite>> = {
  unit: {
    files: [`${anywhere}/*.test.ts`],
    except: ["**/*.{kernel,backend,vm}.test.ts"],
    timeout: 60_000,
    root: false,
  },
  fuzz: {
    files: ["config/fuzz.test.ts", "core/bridge/skeletons.test.ts"],
    except: [],
    timeout: 60_000,
    root: false,
  },
  sanitized: {
    files: ["native/**/*.test.ts"],
    except: ["native/leak.kernel.test.ts"],
    timeout: 120_000,
    root: true,
    sanitized: true,
  },
  native: { files: ["native/**/*.test.ts"], except: [], timeout: 120_000, root: true },
  kernel: {
    files: [`${anywhere}/*.kernel.test.ts`],
    except: [],
    timeout: 120_000,
    root: true,
  },
  kernels: { files: ["test/kernels/*.vm.test.ts"], except: [], timeout: 60_000, root: true },
  backend: {
    files: [`${anywhere}/*.backend.test.ts`],
    except: [],
    timeout: 120_000,
    root: false,
  },
};

const none: Report = { passed: 0, failures: [], reruns: [], skips: [] };

const strict = process.env.WIRESPAN_EXPECT_NO_SKIPS === "1";
// The agents that tests start refuse variables of this prefix that stand for no setting.
delete process.env.WIRESPAN_EXPECT_NO_SKIPS;

const [names = "", ...mochaArguments] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), "wirespan-test-"));
let interrupted = false;
const results: (Report & { name: string; seconds: number })[] = [];
try {
  for (const name of names.split(",")) {
    if (interrupted) break;
    const start = performance.now();
    const report = name === "check" ? await check() : await mocha(name);
    results.push({ name, ...report, seconds: (performance.now() - start) / 1000 });
  }
} finally {
  rmSync(scratch, { recursive: true });
}
process.exitCode = summarise() ? 0 : 1;

async function check(): Promise<Report> {
  const { steps, skips } = checks();
  const failures: Failure[] = [];
  for (const { name, command } of steps) {
    console.log(`\n  check: ${name}`);
    const status = await run(command);
    if (status !== 0) failures.push({ title: name, message: `status ${status}` });
  }
  return { passed: steps.length - failures.length, failures, reruns: [], skips };
}

async function mocha(name: string): Promise<Report> {
  const suite = suites[name];
  if (!suite) throw new Error(`no suite ${name}: check, ${Object.keys(suites).join(", ")}`);
  if (suite.root && process.getuid?.() !== 0) {
    return { ...none, skips: [{ title: `all ${name} tests`, reason: "need root" }] };
  }
  const files = globSync(suite.files, { exclude: suite.except }).sort();
  const out = join(scratch, `${name}.json`);
  if (suite.sanitized && (await run(["make", "-s", "-C", "native", "sanitize"])) !== 0) {
    return { ...none, failures: beyondTests("the addon's sanitizer build failed") };
  }
  const status = await run([
    ...(suite.sanitized ? sanitizers() : []),
    process.execPath,
    ...(suite.sanitized ? ["--import=./test/support/sanitized.ts"] : []),
    "node_modules/mocha/bin/mocha.js",
    "--reporter=test/support/reporter.ts",
    `--reporter-option=report=${out}`,
    `--timeout=${suite.timeout}`,
    ...mochaArguments,
    ...files,
  ]);
  try {
    const report = JSON.parse(readFileSync(out, "utf8")) as Report;
    if (status === 0 || report.failures.length > 0) return report;
    // Mocha may fail beyond its tests: an unhandled rejection after the last one, say.
    return { ...report, failures: beyondTests(`status ${status} though no test failed`) };
  } catch {
    return { ...none, failures: beyondTests(`status ${status} and no report`) };
  }
}

function beyondTests(message: string): Failure[] {
  return [{ title: "the suite itself", message }];
}

/** A prefix that puts the sanitizers' libraries before all others. */
function sanitizers(): string[] {
  const libraries = ["libasan.so", "libubsan.so"].map((name) =>
    execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim(),
  );
  return [
    "env",
    `LD_PRELOAD=${libraries.join(":")}`,
    "ASAN_OPTIONS=detect_leaks=0",
    "UBSAN_OPTIONS=halt_on_error=1",
  ];
}

/** Runs one program in the foreground, passes signals on to it, and answers with its exit status. */
async function run([program, ...args]: readonly string[]): Promise<number> {
  const child = spawn(program!, args, { stdio: "inherit" });
  const pass = (signal: NodeJS.Signals) => {
    child.kill(signal);
    interrupted = true;
  };
  process.on("SIGTERM", pass);
  process.on("SIGINT", pass);
  try {
    const [status] = (await once(child, "exit")) as [number | null];
    return status ?? 1;
  } finally {
    process.off("SIGTERM", pass);
    process.off("SIGINT", pass);
  }
}

function summarise(): boolean {
  let good = !interrupted;
  console.log("\n  suite     passed  failed  skipped  seconds");
  for (const { name, passed, failures, skips, seconds } of results) {
    const cells = [passed, failures.length, skips.length].map((n) => String(n).padStart(8)).join("");
    console.log(`  ${name.padEnd(8)}${cells}${seconds.toFixed(1).padStart(9)}`);
  }
  for (const { name, reruns } of results) {
    for (const { title, message, unseen } of reruns)
      console.log(`  run again (${name}): ${title}: ${sayUnseen(unseen)}: ${brief(message)}`);
  }
  // Said again at the end, which is all that a cut log may show.
  for (const { name, failures } of results) {
    for (const { title, message } of failures) {
      console.log(`  failed (${name}): ${title}\n    ${message.replaceAll("\n", "\n    ")}`);
      good = false;
    }
  }
  for (const { name, skips } of results) {
    for (const skip of skips) {
      const fault = faultOf(skip);
      console.log(`  skipped (${name}): ${skip.title}: ${skip.reason || "no reason given"}${fault}`);
      if (fault) good = false;
    }
  }
  console.log(good ? "\n  all passed" : "\n  FAILED");
  return good;
}

function faultOf(skip: Skip): string {
  if (!skip.reason) return " (a skip must be named: a failure)";
  if (!strict || expected.some(({ title }) => skip.title.startsWith(title))) return "";
  return " (not in test/support/expected-skips.json: a failure here)";
}

function brief(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, 300);
}
