import assert from "node:assert/strict";
import { startAgent } from "../support/agent.ts";

describe("the tests' agent", () => {
  it("shows its output if it ends before it is ready", async () => {
    await assert.rejects(
      startAgent(["--no-such-flag"]),
      /the agent ended with 2 before it was ready\nstandard error:\n.*--no-such-flag/,
    );
  });

  it("is ended if it is not ready in time", async () => {
    await assert.rejects(startAgent(["trace", "tcplife"], { limit: 1 }), /the agent was not ready in 1 ms/);
  });
});
