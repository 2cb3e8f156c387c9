// The agent in its own pid and time namespaces: what it reports about processes is correct, or it reports that it
// cannot.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { promisify } from "node:util";
import { type Agent, type AgentOptions, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot, output } from "../support/netns.ts";
import type { DecodedSpan } from "../support/otlp-decode.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { build, run } from "../support/workload.ts";

const OWN_PIDS = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--"];
/** /proc stays the host's. */
const HOST_PROC = ["unshare", "--pid", "--fork", "--kill-child", "--"];
const DAYS = 10 * 86_400;
const OWN_TIME = ["--time", "--boottime", String(DAYS), "--monotonic", String(DAYS)];

function start(netns: Netns, sink: OtlpSink, options: AgentOptions): Promise<Agent> {
  const config = `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"], direction: outbound } }
control: { socket: "" }
exporters: { sink: { type: otlp_http, endpoint: "${sink.endpoint}" } }
`;
  return startAgent(["--plugin", "tcplife"], { ...options, config });
}

interface Life {
  readonly service: unknown;
  readonly pid: unknown;
  readonly span: DecodedSpan;
}

/** The connections' spans, once there are `count`. */
async function lives(sink: OtlpSink, count: number): Promise<readonly Life[]> {
  for (let i = 0; i < 200; i++) {
    const found = sink.received.flatMap((each) =>
      each.signal !== "traces"
        ? []
        : each.decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
            scopeSpans
              .flatMap(({ spans }) => spans)
              .filter(({ name }) => name === "tcp connection")
              .map((span) => ({
                service: resource.attributes["service.name"],
                pid: span.attributes["process.pid"],
                span,
              })),
          ),
    );
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no ${count} spans in 10 s`);
}

/** The pid namespace that unshare has put its child into. */
function pidNamespaceOf(agent: Agent): string {
  const [child] = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, "latin1").split(" ");
  const path = `/proc/${child}/ns/pid`;
  assert.notEqual(readlinkSync(path), readlinkSync("/proc/self/ns/pid"));
  return path;
}

// With halfClose the client stays alive while it waits for the answer, so that /proc can be read.
const load = new URL("../workload/build/load", import.meta.url).pathname;

describe("an agent in its own namespaces", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("of pids knows processes of its own namespace completely, of others only the executable", async () => {
    await using netns = await Netns.create();
    await using sink = await OtlpSink.start("http");
    await using agent = await start(netns, sink, { through: OWN_PIDS });
    const inside = ["--net", netns.path, "--pid", pidNamespaceOf(agent)];
    const env = ["env", "OTEL_SERVICE_NAME=inside"];
    await output("nsenter", [
      `--net=${inside[1]}`,
      `--pid=${inside[3]}`,
      "--",
      ...env,
      load,
      "halfClose",
      "delay=1000",
    ]);
    await output("nsenter", [
      `--net=${netns.path}`,
      "--",
      "env",
      "OTEL_SERVICE_NAME=outside",
      load,
      "halfClose",
      "delay=1000",
    ]);
    const found = await lives(sink, 2);
    assert.deepEqual(
      found.map(({ service }) => service),
      ["inside", "pcli"],
    );
    // Both are the kernel's numbers: those of the namespace begin at 1, and the kernel's wrap to 300.
    for (const { pid } of found) assert.ok(Number(pid) >= 300, `${String(pid)} is the namespace's`);
    const said = agent.stderr.filter((line) => line.includes("pid namespace"));
    assert.equal(said.length, 2, agent.stderr.join("\n"));
  });

  it("of pids refuses filters by pid, and reports that in doctor", async () => {
    const refused = startAgent(["trace", "tcplife", "--set", "filter.include.pid=1"], { through: OWN_PIDS });
    await assert.rejects(refused, /filter\.include\.pid: the agent runs in its own pid namespace/);
    const main = new URL("../../cli/main.ts", import.meta.url).pathname;
    const words = [...OWN_PIDS.slice(1), process.execPath, main, "doctor", "-p", "tcplife"];
    const { stdout } = await promisify(execFile)("unshare", words);
    assert.match(stdout, /^Limits\n {2}\/proc is that of the agent's own pid namespace/m);
  });

  it("of pids uses the numbers of /proc, if that is the host's", async () => {
    await using netns = await Netns.create();
    await using sink = await OtlpSink.start("http");
    await using _agent = await start(netns, sink, { through: HOST_PROC });
    await output("nsenter", [
      `--net=${netns.path}`,
      "--",
      "env",
      "OTEL_SERVICE_NAME=outside",
      load,
      "halfClose",
      "delay=1000",
    ]);
    const [life] = await lives(sink, 1);
    assert.equal(life?.service, "outside");
    await using filtered = await startAgent(["trace", "tcplife", "--set", "filter.include.pid=1"], {
      through: HOST_PROC,
    });
    assert.ok(filtered.stderr.some((line) => line.includes("own pid namespace")));
  });

  for (const [what, through] of [
    ["time", ["unshare", ...OWN_TIME, "--fork", "--kill-child", "--"]],
    ["time and pids", ["unshare", ...OWN_TIME, ...OWN_PIDS.slice(1)]],
  ] as const) {
    it(`of ${what} reports the host's times, and recognises processes`, async () => {
      await using netns = await Netns.create();
      await using sink = await OtlpSink.start("http");
      await using agent = await start(netns, sink, { through });
      const begun = Date.now();
      const pids = what === "time" ? [] : [`--pid=${pidNamespaceOf(agent)}`];
      const words = [
        `--net=${netns.path}`,
        ...pids,
        "--",
        "env",
        "OTEL_SERVICE_NAME=timed",
        load,
        "halfClose",
        "delay=1000",
      ];
      await output("nsenter", words);
      const [life] = await lives(sink, 1);
      assert.equal(life?.service, "timed");
      const [from, to] = [life.span.startTimeUnixNano, life.span.endTimeUnixNano].map((t) => Number(t) / 1e6);
      assert.ok(from! >= begun - 100 && to! <= Date.now() + 100, `${from} to ${to}, begun ${begun}`);
    });
  }

  it("reports no limitations if there are none", async () => {
    await using netns = await Netns.create();
    await using sink = await OtlpSink.start("http");
    await using agent = await start(netns, sink, {});
    await run(netns, "clientCloses");
    await lives(sink, 1);
    assert.deepEqual(
      agent.stderr.filter((line) => line.includes("namespace")),
      [],
    );
  });
});
