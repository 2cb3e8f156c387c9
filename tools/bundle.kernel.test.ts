// The SDK's part of the bundle, a separate file.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startAgent } from "../test/support/agent.ts";
import { Netns, needsRoot } from "../test/support/netns.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";
import { scratchClone } from "../test/support/scratch-clone.ts";
import { until } from "../test/support/until.ts";
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

describe("what npm start runs", () => {
  let [clone, cache, kept] = ["", "", ""];
  before(function () {
    needsRoot(this);
    clone = scratchClone();
    execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: clone });
    cache = mkdtempSync(join(tmpdir(), "wirespan-cache-"));
    kept = join(cache, "wirespan.code");
  });
  after(() => {
    for (const folder of [clone, cache]) rmSync(folder, { recursive: true, force: true });
  });

  /** Longer than the startup of an agent, after which its compiled code is kept. */
  const LONGER = 4000;

  async function starts(enough: () => boolean | Promise<boolean>): Promise<void> {
    await using agent = await startAgent(["--plugin", "tcplife", "--format", "json"], {
      main: join(clone, "cli/start.cjs"),
      env: { NODE_COMPILE_CACHE: cache },
      config: 'version: 1\ncontrol: { socket: "" }\ncorrelate: { enabled: false }\n',
    });
    await until("enough", async () => (await enough()) || undefined);
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
  }

  it("keeps the code that a start has compiled, and replaces it only if it is damaged", async () => {
    await starts(() => existsSync(kept));
    const { mtimeMs } = statSync(kept);
    await starts(async () => {
      await sleep(LONGER);
      return true;
    });
    assert.equal(statSync(kept).mtimeMs, mtimeMs, "the kept code was not used");
    const bytes = readFileSync(kept);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(kept, bytes);
    await starts(() => !readFileSync(kept).equals(bytes));
    assert.deepEqual(
      readdirSync(cache).filter((name) => name.startsWith("wirespan.code")),
      ["wirespan.code"],
    );
  });

  it("prints the same as the sources", () => {
    const print = (main: string) =>
      execFileSync(process.execPath, [join(clone, main), "plugins", "tcplife"], {
        env: { ...process.env, NODE_COMPILE_CACHE: cache },
        encoding: "utf8",
      });
    assert.equal(print("cli/start.cjs"), print("cli/main.ts"));
  });
});
