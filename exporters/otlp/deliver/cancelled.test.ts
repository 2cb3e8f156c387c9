// Calls that are cancelled while their data is being sent. If a stream were destroyed then, Node 24 would write empty
// frames without end, in one turn of its event loop: no timer of the process would ever run again.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { size } from "../../../test/support/long.ts";
import { OtlpSink } from "../../../test/support/otlp-sink.ts";

describe("gRPC calls that are cancelled at any moment", () => {
  it("do not block the process", async function () {
    const seconds = size(3, 60);
    this.timeout((seconds + 60) * 1000);
    await using sink = await OtlpSink.start("grpc");
    const changing = setInterval(() => {
      sink.delayMs = Math.random() * 40;
      sink.answer = Math.random() < 0.2 ? { kind: "hang" } : { kind: "ok" };
      sink.received.length = 0;
    }, 50);
    const calls = promisify(execFile)(
      process.execPath,
      [join(import.meta.dirname, "../../../test/apps/cancelled-calls.ts"), sink.endpoint, String(seconds)],
      { timeout: (seconds + 30) * 1000, killSignal: "SIGKILL" },
    );
    const { stdout } = await calls.finally(() => clearInterval(changing));
    assert.ok(Number(stdout) > seconds * 10, `${stdout} calls`);
  });
});
