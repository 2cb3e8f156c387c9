// The chart checked with Helm's own linter, its values with their schema.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import packageJson from "../../package.json" with { type: "json" };
import { root } from "../support/scratch-clone.ts";
import { kubernetesProgram } from "./programs.ts";

const CHART = join(root, "packaging/chart");

describe("the chart", () => {
  let helm = "";
  before(function () {
    helm = kubernetesProgram(this, "helm");
  });

  const run = (...args: string[]) => spawnSync(helm, args, { encoding: "utf8" });
  const refusal = (...values: string[]) => {
    const { status, stderr } = run(
      "template",
      "wirespan",
      CHART,
      ...values.flatMap((value) => ["--set", value]),
    );
    assert.notEqual(status, 0, values.join());
    return stderr;
  };

  it("passes Helm's linter without warnings", () => {
    const { status, stdout } = run("lint", "--strict", CHART);
    assert.equal(status, 0, stdout);
    assert.doesNotMatch(stdout, /\[(WARNING|ERROR)\]/);
  });

  it("has the version of the image that it installs", () => {
    const { version, appVersion } = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"));
    assert.deepEqual([version, appVersion], [packageJson.version, packageJson.version]);
  });

  it("refuses values with which no agent could run, by the value's path", () => {
    assert.match(refusal("otlp.endpoint=collector:4317"), /'\/otlp\/endpoint'/);
    assert.match(refusal("otlp.protocol=zipkin"), /'\/otlp\/protocol'/);
    assert.match(refusal("tolerationz[0].operator=Exists"), /tolerationz/);
    assert.match(refusal("image.digest=latest"), /'\/image\/digest'/);
    assert.match(refusal("capabilities={BPF,SYS_ADMIN}"), /'\/capabilities/);
    // A program whose file has a capability that its container may not have cannot start.
    assert.match(refusal("capabilities={BPF,PERFMON}"), /'\/capabilities'/);
    assert.match(refusal("config.control.socket=/tmp/x"), /'\/config'/);
  });

  it("uses one image for root and one for others", () => {
    const imageWith = (...values: string[]) => {
      const { stdout } = run("template", "ws", CHART, ...values.flatMap((value) => ["--set", value]));
      const set = parseAllDocuments(stdout)
        .map((document) => document.toJS())
        .find((each) => each?.kind === "DaemonSet");
      return set.spec.template.spec.containers[0].image;
    };
    const { version } = packageJson;
    assert.equal(imageWith(), `localhost/wirespan:${version}`);
    assert.equal(imageWith("runAsNonRoot=false"), `localhost/wirespan:${version}-root`);
    assert.equal(imageWith("image.repository=r.example/w,image.tag=v7"), "r.example/w:v7");
    const digest = `sha256:${"0".repeat(64)}`;
    assert.equal(imageWith(`image.digest=${digest}`), `localhost/wirespan@${digest}`);
  });
});
