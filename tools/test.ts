// Runs the named suites and ends with a summary: what ran, what failed, and every skip with its reason.
// usage: test.ts SUITE[,SUITE...] [MOCHA ARGUMENTS]
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, matchesGlob } from "node:path";
import { describeUnseen } from "../core/engine/balance.ts";
import expectedSkips from "../test/support/expected-skips.json" with { type: "json" };
import type { Failure, Report, Skip } from "../test/support/reporter.ts";
import { checks } from "./check.ts";
import { beyondTests, type Done, type Job, type Launch, Processes } from "./jobs.ts";
import { type Suite, suites } from "./suites.ts";

/** Skips that are expected on the machine that runs .ci/run; a title covers all that begin with it. */
const expected: readonly Skip[] = expectedSkips;
const strict = process.env.WIRESPAN_EXPECT_NO_SKIPS === "1";
// The agents that tests start refuse variables with this prefix that are not settings.
delete process.env.WIRESPAN_EXPECT_NO_SKIPS;

/** Tests start the bundle instead of the sources. */
const BUNDLE: Launch = { before: ["env", "TEST_MAIN=dist/wirespan.cjs"] };

/** The number of slow files that the summary names. */
const SLOWEST = 12;

const begun = performance.now();
const [names = "", ...mochaArguments] = process.argv.slice(2);
const wanted = names.split(",");
for (const name of wanted) {
  if (name !== "check" && !suites[name])
    throw new Error(`no suite ${name}: check, ${Object.keys(suites).join(", ")}`);
}
const slowest: Done[] = [];
const scratch = mkdtempSync(join(tmpdir(), "wirespan-test-"));
const processes = new Processes(scratch, mochaArguments);
const results: (Report & { name: string; seconds: number })[] = [];
try {
  if (wanted.includes("check")) await check();
  const open = wanted.filter((name) => suites[name] && mayRun(name, suites[name]));
  const done = await processes.runAll(
    open.flatMap((name) => (suites[name]!.sanitized ? [] : jobs(name, suites[name]!))),
  );
  for (const [name, some] of Map.groupBy(done, ({ job }) => job.suite)) keep(name!, some);
  slowest.push(...done.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST));
  for (const name of open)
    if (suites[name]!.sanitized && !processes.interrupted) await sanitized(name, suites[name]!);
} finally {
  rmSync(scratch, { recursive: true });
}
process.exitCode = summarise() ? 0 : 1;

/** Whether this user may run it; otherwise it is skipped. */
function mayRun(name: string, { root }: Suite): boolean {
  if (!root || process.getuid?.() === 0) return true;
  keep(name, [], { skips: [{ title: `all ${name} tests`, reason: "need root" }] });
  return false;
}

function filesOf({ files, except }: Suite): string[] {
  return globSync(files, { exclude: except }).sort();
}

function jobs(suite: string, of: Suite): Job[] {
  const { together, alone = [], first = [], bundled } = of;
  const files = filesOf(of);
  const how = { suite, ...(bundled && { launch: BUNDLE }) };
  if (together === undefined) return [{ ...how, files, alone: true }];
  const isIn = (globs: readonly string[], file: string) => globs.some((glob) => matchesGlob(file, glob));
  const host = files.filter((file) => isIn(alone, file));
  const shared = files.filter((file) => !host.includes(file));
  const groups = Array.from({ length: Math.ceil(shared.length / together) }, (_, i) =>
    shared.slice(i * together, (i + 1) * together),
  );
  return [
    ...groups.map((some) => ({
      ...{ ...how, files: some, alone: false },
      first: some.some((file) => isIn(first, file)),
    })),
    ...(host.length > 0 ? [{ ...how, files: host, alone: true }] : []),
  ];
}

function keep(
  name: string,
  done: readonly Pick<Done, "report" | "seconds">[],
  more: Partial<Report & { seconds: number }> = {},
): void {
  const all = <T>(of: (report: Report) => readonly T[]) => done.flatMap(({ report }) => of(report));
  results.push({
    name,
    passed: done.reduce((sum, { report }) => sum + report.passed, 0),
    failures: all(({ failures }) => failures),
    reruns: all(({ reruns }) => reruns),
    skips: all(({ skips }) => skips),
    seconds: done.reduce((sum, { seconds }) => sum + seconds, 0),
    ...more,
  });
}

async function check(): Promise<void> {
  const start = performance.now();
  const { steps, skips } = checks();
  const failures: Failure[] = [];
  const left = [...steps];
  const work = async () => {
    for (let step = left.shift(); step && !processes.interrupted; step = left.shift()) {
      const { name, command } = step;
      const status = await processes.run(command, false);
      console.log(`  check: ${name}`);
      if (status !== 0) failures.push({ title: name, message: `status ${status}` });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const passed = steps.length - failures.length;
  keep("check", [], {
    passed,
    failures,
    skips,
    seconds: (performance.now() - start) / 1000,
  });
}

async function sanitized(suite: string, of: Suite): Promise<void> {
  const start = performance.now();
  const isBuilt = (await processes.run(["make", "-s", "-C", "native", "sanitize"])) === 0;
  const report: Report = isBuilt
    ? await processes.mocha({
        ...{ suite, files: filesOf(of), alone: true },
        launch: { before: sanitizers(), flags: ["--import=./test/support/sanitized.ts"] },
      })
    : { passed: 0, failures: beyondTests("the addon's sanitizer build failed"), reruns: [], skips: [] };
  keep(suite, [{ report, seconds: (performance.now() - start) / 1000 }]);
}

/** A prefix that loads the sanitizers' libraries before all others. */
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

function summarise(): boolean {
  let good = !processes.interrupted;
  console.log("\n  suite     passed  failed  skipped  seconds");
  for (const { name, passed, failures, skips, seconds } of results) {
    const cells = [passed, failures.length, skips.length].map((n) => String(n).padStart(8)).join("");
    console.log(`  ${name.padEnd(8)}${cells}${seconds.toFixed(1).padStart(9)}`);
  }
  for (const { job, seconds } of slowest)
    console.log(`  ${seconds.toFixed(1).padStart(7)} s  ${job.suite}: ${job.files.join(" ")}`);
  for (const { name, reruns } of results) {
    for (const { title, message, unseen } of reruns)
      console.log(`  run again (${name}): ${title}: ${describeUnseen(unseen)}: ${brief(message)}`);
  }
  console.log(`  together ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  // Repeated at the end, because a truncated log may show nothing else.
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
