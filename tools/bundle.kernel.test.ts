// The SDK's part of the bundle: a separate file.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startAgent } from "../test/support/agent.ts";
import { Netns, needsRoot } from "../test/support/netns.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";
import { scratchClone } from "../test/support/scratch-clone.ts";
import { run } from "../test/support/workload.ts";

describe("the bundle's file for path: sdk", () => {
  let clone = "";
  let main = "";
  let sdk = "";
  before(function () {
    needsRoot(this);
    clone = scratchClone();
    execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: clone });
    main = join(clone, "dist/wirespan.cjs");
    sdk = join(clone, "dist/sdk.cjs");
  });
  after(() => rmSync(clone, { recursive: true, force: true }));

  const start = (sink: OtlpSink, path: string) =>
    startAgent(["--plugin", "tcplife"], {
      main,
      config: `version: 1
control: { socket: "" }
correlate: { enabled: false }
exporters: { sink: { type: otlp_grpc, endpoint: "${sink.endpoint}", path: ${path} } }
`,
    });

  async function delivers(path: string): Promise<void> {
    await using netns = await Netns.create();
    await using sink = await OtlpSink.start("grpc");
    await using agent = await start(sink, path);
    await run(netns, "clientCloses", { count: 3, delay: 0 });
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
    assert.ok(sink.spans.length >= 3, `${sink.spans.length} spans`);
  }

  it("delivers through the SDK", () => delivers("sdk"));

  it("is not run if it belongs to another build", async () => {
    const kept = join(clone, "sdk.kept");
    cpSync(sdk, kept);
    appendFileSync(sdk, "\n");
    try {
      await using sink = await OtlpSink.start("grpc");
      await assert.rejects(
        start(sink, "sdk"),
        /sdk\.cjs and wirespan\.cjs are of different builds; run: npm run build/,
      );
    } finally {
      cpSync(kept, sdk);
    }
  });

  it("is not needed without path: sdk", async () => {
    rmSync(sdk);
    await delivers("lean");
  });
});
