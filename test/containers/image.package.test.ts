// The container images in a real podman: all plugins run, both as root and as another user, in a container without
// write access or additional privileges.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DoctorReport } from "../../agent/doctor.ts";
import packageJson from "../../package.json" with { type: "json" };
import { image } from "../../tools/package/image.ts";
import { startAgent } from "../support/agent.ts";
import { needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { installLines } from "../support/readme.ts";
import { root } from "../support/scratch-clone.ts";
import { until } from "../support/until.ts";
import { APPLICATION } from "./application.ts";
import { ownersOf } from "./owned.ts";
import { Podman } from "./podman.ts";

const IMAGE = `localhost/wirespan:${packageJson.version}`;
const CONFINED = [
  ...["--pid", "host", "--network", "host", "--read-only", "--cap-drop", "all"],
  ...["BPF", "PERFMON", "DAC_READ_SEARCH"].flatMap((name) => ["--cap-add", name]),
  ...["no-new-privileges", `seccomp=${join(root, "packaging/seccomp.json")}`].flatMap((option) => [
    "--security-opt",
    option,
  ]),
];

describe("the container images", () => {
  const resources = new DisposableStack();
  let folder = "";
  let podman: Podman;

  const doctor = (image: string, ...options: string[]): DoctorReport => {
    const { stdout, stderr } = podman.try("run", "--rm", ...CONFINED, ...options, image, "doctor", "--json");
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout) as DoctorReport;
  };

  before(async function () {
    needsRoot(this);
    podman = resources.use(new Podman(this));
    folder = mkdtempSync(join(tmpdir(), "wirespan-image-"));
    resources.defer(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "tracefs"));
    execFileSync("mount", ["-t", "tracefs", "tracefs", join(folder, "tracefs")]);
    resources.defer(() => execFileSync("umount", [join(folder, "tracefs")]));
    await image(folder);
    for (const kind of ["", "-root"])
      podman.run("load", "-i", join(folder, `wirespan-${packageJson.version}${kind}-oci.tar`));
  });
  after(() => resources.dispose());

  for (const [kind, uid] of [["", 65532] as const, ["-root", 0] as const]) {
    it(`run every plugin as user ${uid}, with tracefs just as the host's root runs them`, () => {
      const main = join(root, "dist/wirespan.cjs");
      const { stdout } = spawnSync(process.execPath, [main, "doctor", "--json"], { encoding: "utf8" });
      const host = JSON.parse(stdout) as DoctorReport;
      assert.equal(host.plugins.length, 14);
      const report = doctor(`${IMAGE}${kind}`);
      assert.equal(report.uid, uid);
      assert.deepEqual(
        report.plugins.filter(({ state }) => state !== "running" && state !== "degraded"),
        [],
      );
      const tracefs = `${join(folder, "tracefs")}:/sys/kernel/tracing:ro`;
      const states = ({ plugins }: DoctorReport) => plugins.map(({ name, state }) => [name, state]);
      assert.deepEqual(states(doctor(`${IMAGE}${kind}`, "--volume", tracefs)), states(host));
    });
  }

  it("run with the README's two commands", () => {
    const words = installLines("Container").replace("dist/packages", folder).trimEnd();
    const shell = spawnSync("sh", ["-ec", `${words} doctor --json`], {
      cwd: root,
      env: podman.env,
      encoding: "utf8",
    });
    const report = JSON.parse(shell.stdout.slice(shell.stdout.indexOf("{"))) as DoctorReport;
    assert.equal(report.uid, 65532, shell.stderr);
    assert.equal(report.plugins.length, 14);
  });

  it("report another container's connections with its name and its id", async () => {
    await using sink = await OtlpSink.start("http");
    const agent = podman
      .run(
        ...["run", "--detach", ...CONFINED, "--env", `OTEL_EXPORTER_OTLP_ENDPOINT=${sink.endpoint}`],
        ...["--env", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", IMAGE, "--set", "metrics.interval=500ms"],
      )
      .trim();
    await until("the agent to be ready", () => podman.try("logs", agent).stderr.includes('"msg":"started"'));
    const application = podman
      .run(
        ...["run", "--detach", "--network", "none", "--env", "OTEL_SERVICE_NAME=shop", "--user", "1234"],
        ...["--entrypoint", "/usr/lib/wirespan/node", `${IMAGE}-root`, "--eval", APPLICATION],
      )
      .trim();
    const owners = () =>
      ownersOf(sink, "tcp connection").filter((owner) => owner["container.id"] === application);
    await until("both ends of twenty connections", () => owners().length === 40);
    assert.deepEqual(new Set(owners().map((owner) => owner["service.name"])), new Set(["shop"]));
  });

  it("report containers by podman's names if the agent is given podman's socket", async () => {
    const socket = join(folder, "podman.sock");
    using service = podman.serve(socket);
    await until("podman's service", () => service.exitCode === null && existsSync(socket));
    await using sink = await OtlpSink.start("http");
    await using _ = await startAgent(["--set", `identity.docker.socket=${socket}`], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" },
    });
    podman.run(
      ...["run", "--detach", "--network", "none", "--name", "till", "--env", "OTEL_SERVICE_NAME=till"],
      ...["--entrypoint", "/usr/lib/wirespan/node", `${IMAGE}-root`, "--eval", APPLICATION],
    );
    const owners = () => ownersOf(sink, "tcp connection").filter((owner) => owner["service.name"] === "till");
    await until("both ends of twenty connections", () => owners().length === 40, 60_000);
    assert.deepEqual(new Set(owners().map((owner) => owner["container.name"])), new Set(["till"]));
  });
});
