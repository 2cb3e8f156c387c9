import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Runs in its own process, which reads `pid`'s environment and then searches all of its own memory for a text. The
 * text is passed with every bit inverted, so that the search does not find itself.
 */
const search = `
  import { openSync, readFileSync, readSync } from "node:fs";
  import { Pattern } from ${JSON.stringify(join(import.meta.dirname, "pattern.ts"))};
  import { Proc } from ${JSON.stringify(join(import.meta.dirname, "proc.ts"))};
  const [pid, turned] = process.argv.slice(-2);
  const code = Buffer.from(turned, "hex");
  const head = Buffer.from([~code[0], ~code[1], ~code[2]]);
  const facts = new Proc("/proc", { patterns: [new Pattern("--password=*")] }).process(Number(pid));
  const memory = openSync("/proc/self/mem", "r");
  const chunk = Buffer.alloc(1 << 20);
  let found = 0;
  let searched = 0;
  for (const line of readFileSync("/proc/self/maps", "latin1").split("\\n")) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || line.includes("[v")) continue;
    for (let at = BigInt("0x" + from); at < BigInt("0x" + to); at += BigInt(chunk.length - code.length)) {
      const left = BigInt("0x" + to) - at;
      let length = 0;
      try {
        length = readSync(memory, chunk, 0, left < chunk.length ? Number(left) : chunk.length, at);
      } catch {
        break; // Unmapped meanwhile.
      }
      searched += length;
      for (let i = chunk.indexOf(head); i >= 0 && i + code.length <= length; i = chunk.indexOf(head, i + 1)) {
        let same = 0;
        while (same < code.length && (chunk[i + same] ^ 0xff) === code[same]) same++;
        if (same === code.length) found++;
      }
    }
  }
  const { program, command, environment } = facts;
  const matched = command.matched.size;
  console.log(JSON.stringify({ name: environment.serviceName, program, matched, found, searched }));`;

interface Search {
  readonly name: string;
  readonly program: string;
  readonly matched: number;
  readonly found: number;
  readonly searched: number;
}

describe("data read from another process", () => {
  function searchMemory(pid: number, text: string): Search {
    const turned = Buffer.from(text).map((byte) => byte ^ 0xff);
    const args = ["--input-type=module", "-e", search, `${pid}`, Buffer.from(turned).toString("hex")];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  }

  it("leaves no trace of its environment in our memory, except for the two variables", async () => {
    const [key, name] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
    const env = { OTEL_EXPORTER_OTLP_HEADERS: `api-key=${key}`, OTEL_SERVICE_NAME: name, LAST: `${key}` };
    const child = spawn("/bin/sleep", ["600"], { env, stdio: "ignore" });
    try {
      await once(child, "spawn");
      const control = searchMemory(child.pid!, name);
      assert.equal(control.name, name);
      assert.ok(control.found > 0, `the search finds what is there, in ${control.searched} bytes`);
      const { found, searched } = searchMemory(child.pid!, key);
      assert.equal(found, 0, `in ${searched} bytes`);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  });

  it("leaves no trace of its arguments in our memory, although they were compared, except for the script's name", async () => {
    const [key, script] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
    const folder = mkdtempSync(join(tmpdir(), "wirespan-secret-"));
    writeFileSync(join(folder, script), "read line\n");
    const child = spawn("/bin/bash", [join(folder, script), `--password=${key}`, key], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    try {
      await once(child, "spawn");
      while (readFileSync(`/proc/${child.pid}/comm`, "utf8") !== `bash\n`) await delay(5);
      const control = searchMemory(child.pid!, script);
      assert.deepEqual([control.program, control.matched], [script, 1]);
      assert.ok(control.found > 0, `the search finds what is there, in ${control.searched} bytes`);
      const { matched, found, searched } = searchMemory(child.pid!, key);
      assert.deepEqual([matched, found], [1, 0], `in ${searched} bytes`);
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
      rmSync(folder, { recursive: true });
    }
  });
});
