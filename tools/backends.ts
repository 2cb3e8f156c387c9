// `npm run backends [NAME...]`: makes sure that the real backends of the tests are on this machine, and builds what is
// missing from the Go module proxy. Without names: the Collector and Jaeger.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { type BackendName, cache, findBackend, versions } from "../test/backend/find.ts";
import { build, buildPublished, installTool, remove } from "./gobuild.ts";

const core = "go.opentelemetry.io/collector";
const contrib = "github.com/open-telemetry/opentelemetry-collector-contrib";
/** The Collector's stable modules in the same release. */
const stable = "v1.61.0";

const recipes: Readonly<Record<BackendName, (scratch: string, out: string) => void>> = {
  collector: (scratch, out) => buildCollector(scratch, out, []),
  "collector-balancing": (scratch, out) => {
    buildCollector(
      scratch,
      out,
      [`${core}/processor/memorylimiterprocessor`],
      [
        `${core}/exporter/otlpexporter`,
        // The module proxy does not have every version.
        `${contrib}/exporter/loadbalancingexporter v0.150.0`,
      ],
    );
  },
  "collector-datadog": (scratch, out) => {
    buildCollector(
      scratch,
      out,
      [`${core}/processor/batchprocessor`],
      [`${contrib}/exporter/datadogexporter`],
    );
  },
  "collector-gateway": (scratch, out) => {
    const processors = [
      `${core}/processor/batchprocessor`,
      `${core}/processor/memorylimiterprocessor`,
      `${contrib}/processor/tailsamplingprocessor`,
    ];
    buildCollector(scratch, out, processors, [
      `${core}/exporter/otlpexporter`,
      `${contrib}/exporter/prometheusremotewriteexporter`,
    ]);
  },
  "collector-k8s": (scratch, out) => {
    buildCollector(scratch, out, [`${contrib}/processor/k8sattributesprocessor`]);
  },
  jaeger: (scratch, out) => {
    const module = "github.com/jaegertracing/jaeger";
    buildPublished({ module, version: `v${versions.jaeger}`, package: `${module}/cmd/jaeger` }, scratch, out);
  },
  prometheus: ofPrometheus("prometheus"),
  promtool: ofPrometheus("promtool"),
  rotel: (scratch, out) => {
    // A Rust program that is published as a Python wheel, so nothing is built.
    const pip = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", "-d", scratch];
    python([...pip, `rotel==${versions.rotel}`]);
    const wheel = readdirSync(scratch).find((file) => file.endsWith(".whl"));
    python(["-m", "zipfile", "-e", join(scratch, wheel ?? ""), scratch]);
    const program = readdirSync(scratch, { recursive: true, encoding: "utf8" }).find((file) =>
      /(^|\/)rotel-agent$/.test(file),
    );
    copyFileSync(join(scratch, program ?? ""), out);
    chmodSync(out, 0o755);
  },
  victoria: (scratch, out) => {
    const module = "github.com/VictoriaMetrics/VictoriaMetrics";
    const version = `v0.0.0-20250718125606-${versions.victoria}`;
    buildPublished({ module, version, package: `${module}/app/victoria-metrics` }, scratch, out);
  },
};

function ofPrometheus(program: "prometheus" | "promtool") {
  return (scratch: string, out: string) => {
    const module = "github.com/prometheus/prometheus";
    const version = `v${versions[program]}`;
    // Service discovery needs the clouds' libraries, which the tests do not use.
    const tags = "remove_all_sd";
    buildPublished({ module, version, package: `${module}/cmd/${program}`, tags }, scratch, out);
  };
}

function python(args: readonly string[]): void {
  const { status, error } = spawnSync("python3", args, { stdio: "inherit" });
  if (error || status !== 0) throw error ?? new Error(`python3 ${args.join(" ")} failed`);
}

/** The Collector's own builder writes a main package from a list of components. */
function buildCollector(
  scratch: string,
  out: string,
  processors: readonly string[],
  exporters: readonly string[] = [],
): void {
  const version = `v${versions.collector}`;
  const sources = join(scratch, "sources");
  const list = join(scratch, "builder.yaml");
  const gomod = (path: string, at = version) => ({ gomod: path.includes(" ") ? path : `${path} ${at}` });
  writeFileSync(
    list,
    stringify({
      dist: {
        module: "wirespan.invalid/collector",
        name: "collector",
        output_path: sources,
        version: versions.collector,
      },
      receivers: [gomod(`${core}/receiver/otlpreceiver`)],
      processors: processors.map((path) => gomod(path)),
      exporters: [`${contrib}/exporter/fileexporter`, ...exporters].map((path) => gomod(path)),
      extensions: [gomod(`${contrib}/extension/healthcheckextension`)],
      providers: ["env", "file"].map((kind) => gomod(`${core}/confmap/provider/${kind}provider`, stable)),
    }),
  );
  installTool(`${core}/cmd/builder@${version}`, scratch);
  // The builder ends with `go mod tidy`, which also requires what only the components' own tests import and may fail
  // because of that; by then the sources are written, and building them needs no tidy.
  const builder = spawnSync(join(scratch, "builder"), ["--config", list, "--skip-compilation"], {
    encoding: "utf8",
    // It leaves a folder behind in the system's temporary folder.
    env: { ...process.env, TMPDIR: scratch },
  });
  if (!existsSync(join(sources, "main.go")))
    throw new Error(`the Collector's builder failed:\n${builder.stderr}`);
  build(sources, ".", out);
}

function install(name: BackendName): void {
  const found = findBackend(name);
  if (found) {
    console.error(`${name}: ${found}`);
    return;
  }
  if (name !== "rotel" && spawnSync("go", ["version"]).error) {
    console.error(`${name}: building it needs Go 1.26 or newer on PATH (https://go.dev/dl)`);
    process.exitCode = 2;
    return;
  }
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(join(cache, `build-${name}-`));
  const out = join(cache, `${name}-${versions[name]}`);
  const start = performance.now();
  console.error(`${name}: getting ${versions[name]}; what is built from the Go module proxy takes minutes`);
  try {
    recipes[name](scratch, out);
  } finally {
    remove(scratch);
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  console.error(`${name}: ${out}, ${Math.round(statSync(out).size / 2 ** 20)} MiB, in ${seconds} s`);
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in recipes));
if (unknown.length > 0) {
  console.error(`no backend ${unknown.join(", ")}: the backends are ${Object.keys(recipes).join(", ")}`);
  process.exitCode = 2;
} else {
  for (const name of names.length > 0 ? names : ["collector", "jaeger"]) install(name as BackendName);
}
