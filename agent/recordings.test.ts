import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../core/plugin/log.ts";
import { Recordings, type Run } from "./recordings.ts";

describe("recordings of findings", () => {
  const MINUTE = 60_000;
  const START = Date.UTC(2026, 0, 1);
  const silent: Log = { error() {}, warn() {}, info() {}, debug() {} };
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-recordings-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write: Run = async ([, file = ""], env) => {
    assert.equal(env.WIRESPAN_VIEWER_FILE, join(folder, "viewer.db"));
    writeFileSync(file, "");
    return undefined;
  };

  it("are made at most every ten minutes, and the newest three are kept", async () => {
    writeFileSync(join(folder, "incident.db"), "");
    const recordings = new Recordings(join(folder, "viewer.db"), silent, write);
    for (let minute = 0; minute < 50; minute++) await recordings.take("found", START + minute * MINUTE);
    assert.deepEqual(readdirSync(folder).sort(), [
      "finding-20260101T002000Z.db",
      "finding-20260101T003000Z.db",
      "finding-20260101T004000Z.db",
      "incident.db",
    ]);
  });

  it("report why they fail", async () => {
    const said: string[] = [];
    const log = { ...silent, warn: (_: object, text: string) => void said.push(text) };
    await new Recordings(join(folder, "viewer.db"), log, async () => "disk full").take("found", START);
    assert.deepEqual(said, ["recording after a finding failed (viewer.recordOn): disk full"]);
  });
});
