import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { deferLog, type Log, type LogOptions, named, rateLimited } from "./log.ts";

/** What a separate process writes to standard error (and, as is checked, not to standard output). */
function logged(options: LogOptions, use: string): string {
  const script = `import { createLog } from ${JSON.stringify(import.meta.resolve("./log.ts"))};
const log = createLog(${JSON.stringify(options)}); ${use}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  assert.equal(stdout, "");
  return stderr;
}

function recorder(): { log: Log; lines: [level: string, fields: object, message: string][] } {
  const lines: [string, object, string][] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push([level, fields, message]);
  return {
    lines,
    log: { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") },
  };
}

describe("a deferred log", () => {
  it("creates and writes nothing until it is released, and then everything in order", () => {
    const { log, lines } = recorder();
    let created = 0;
    const deferred = deferLog(() => {
      created++;
      return log;
    });
    deferred.warn({ a: 1 }, "first");
    deferred.info({}, "second");
    assert.deepEqual([created, lines], [0, []]);
    deferred.release();
    deferred.error({}, "third");
    deferred.release();
    assert.equal(created, 1);
    assert.deepEqual(lines, [
      ["warn", { a: 1 }, "first"],
      ["info", {}, "second"],
      ["error", {}, "third"],
    ]);
  });

  it("is written when the process ends before its release", () => {
    const url = JSON.stringify(import.meta.resolve("./log.ts"));
    const script = `import { createLog, deferLog } from ${url};
deferLog(() => createLog({ level: "info", format: "json" })).warn({}, "kept"); process.exit(0);`;
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    assert.equal(JSON.parse(stderr).msg, "kept");
  });
});

describe("a plugin's log", () => {
  it("names the plugin in every line", () => {
    const { log, lines } = recorder();
    named(log, "netqtop").warn({ a: 1 }, "late");
    assert.deepEqual(lines, [["warn", { plugin: "netqtop", a: 1 }, "late"]]);
  });
});

describe("log", () => {
  it("writes JSON lines to standard error if that is not a terminal", () => {
    const lines = logged(
      { level: "info", format: "auto" },
      'log.info({ a: 1 }, "hello"); log.error({ error: new Error("x"), big: 2n }, "bad");',
    );
    const [hello, bad] = lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual({ ...hello, time: 0 }, { level: "info", time: 0, a: 1, msg: "hello" });
    assert(Math.abs(Date.parse(hello.time) - Date.now()) < 60_000);
    assert.deepEqual([bad.level, bad.error, bad.big, bad.msg], ["error", "x", "2", "bad"]);
  });

  it("omits lines below its level", () => {
    const all = 'for (const level of ["debug", "info", "warn", "error"]) log[level]({}, level);';
    const count = (level: LogOptions["level"]) =>
      logged({ level, format: "json" }, all).split("\n").length - 1;
    const levels = ["debug", "info", "warn", "error", "silent"] as const;
    assert.deepEqual(levels.map(count), [4, 3, 2, 1, 0]);
  });

  it("writes readable text if configured, without colours if standard error is not a terminal", () => {
    const text = logged({ level: "info", format: "pretty" }, 'log.warn({ a: 1 }, "hello");');
    assert.match(text, /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: hello\n {4}a: 1\n$/);
  });

  it("escapes names that would start a line or a colour", () => {
    const use =
      'log.warn({ name: "a\\u001b[31m\\u009b2J\\nb\\u202ec" }, "x\\n{\\"level\\":\\"error\\"}\\u007f\\u001b]0;t\\u0007");';
    for (const format of ["json", "pretty"] as const) {
      const text = logged({ level: "info", format }, use);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are searched for
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, format);
      assert.equal(text.split("\n").length - 1, 1, text);
    }
    const [line] = logged({ level: "info", format: "json" }, use).split("\n");
    assert.equal((JSON.parse(line!) as { name: string }).name, "a\u001b[31m\u009b2J\nb\u202ec");
  });

  it("passes one line per key at a time, and reports how many were suppressed", async () => {
    const { log, lines } = recorder();
    for (let i = 0; i < 5; i++) rateLimited(log, "refused", 20).warn({ i }, "refused");
    rateLimited(log, "other", 20).info({}, "other");
    assert.deepEqual(lines, [
      ["warn", { i: 0 }, "refused"],
      ["info", {}, "other"],
    ]);
    // The timer does not keep a process alive; this one does while it is pending.
    await sleep(60);
    assert.deepEqual(lines.slice(2), [["warn", { i: 0, suppressed: 4 }, "refused (and 4 more)"]]);
    rateLimited(log, "refused", 20).warn({ i: 9 }, "refused");
    assert.deepEqual(lines.at(-1), ["warn", { i: 9 }, "refused"]);
  });
});
