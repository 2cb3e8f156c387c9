// The agent under Debian's stock kernels, each in a guest, one after the other.
import assert from "node:assert/strict";
import { output } from "../support/netns.ts";
import { build } from "../support/workload.ts";
import { machineOf } from "./machine.ts";
import { describeKernel, limit, needKernel } from "./row.ts";
import { runUnder } from "./vm.ts";

const tooOld = "5.10";

before("npm run test:kernels", async () => {
  await build();
  // Stores compiled code where the guests, for which compiling is slow, find it.
  await output(process.execPath, ["cli/main.ts", "doctor"]).catch(() => {});
});

describeKernel("x64", "6.1", ["connections: first send"]);
describeKernel("x64", "6.12", []);
describeKernel("x64", "6.18", []);
describeKernel("x64", "7.3", []);

describe(`under Linux ${tooOld}`, () => {
  it("reports which kernel is required, whatever the command, and exits with 3", async function () {
    this.timeout(limit + 300_000);
    const machine = await machineOf(this, "x64");
    const kernel = await needKernel(this, tooOld, "x64");
    const asked = ["", "trace tcplife", "doctor"];
    const runs = asked.map((verb) => `'${machine.node}' cli/main.ts ${verb} 2>&1; echo "exits with $?"`);
    const { stdout } = await runUnder(kernel, machine, runs.join("\n"), limit);
    const refusals = stdout.match(/Linux 5\.10\S* is too old: wirespan requires 6\.1 or later\./g);
    assert.equal(refusals?.length, asked.length, stdout);
    assert.deepEqual(stdout.match(/exits with \d+/g), ["exits with 3", "exits with 3", "exits with 1"]);
  });
});
