// OpenTelemetry's own environment variables, as values of our settings.
import { SIGNALS, type Signal } from "../exporters/config.ts";
import type { ExporterType } from "./exporters.ts";
import type { Environment } from "./secrets.ts";
import type { Assignment, ConfigErrors } from "./source.ts";

const destinations = ["otlp", "console", "none"] as const;
type Destination = (typeof destinations)[number];

/** The result of the standard variables. */
export interface OtelSettings {
  readonly assignments: readonly Assignment[];
  /** Exporters that the variables define, by name. */
  readonly exporters: ReadonlyMap<string, ExporterType>;
  /** Those whose protocol is not set by anything, not even the port. */
  readonly guessed: ReadonlySet<string>;
  /** Signals that OTEL_*_EXPORTER=none disables everywhere. */
  readonly off: ReadonlySet<Signal>;
  /** OTEL_SDK_DISABLED. */
  readonly disabled: boolean;
}

/** What the file contains that affects the meaning of the variables. */
export interface FileExporters {
  /** The names under `exporters:`. */
  readonly names: readonly string[];
  /** The type of the one named `otlp`. */
  readonly otlpType: string | undefined;
}

const PREFIX = "OTEL_EXPORTER_OTLP_";

/** Fields that an exporter has once, not by signal, with the settings that they set. */
const fields: Readonly<Record<string, string>> = {
  HEADERS: "headers",
  COMPRESSION: "compression",
  TIMEOUT: "timeout",
  CERTIFICATE: "tls.ca",
  CLIENT_CERTIFICATE: "tls.cert",
  CLIENT_KEY: "tls.key",
  INSECURE: "tls.insecure",
};

interface Protocol {
  readonly type: ExporterType;
  readonly encoding?: "protobuf" | "json";
}

const protocols = new Map<string, Protocol>([
  ["grpc", { type: "otlp_grpc" }],
  ["http/protobuf", { type: "otlp_http", encoding: "protobuf" }],
  ["http/json", { type: "otlp_http", encoding: "json" }],
]);
/**
 * Samplers; those with a ratio use OTEL_TRACES_SAMPLER_ARG. Our spans have no foreign parents, so parents are
 * irrelevant.
 */
const samplers: ReadonlyMap<string, "ratio" | "on" | "off"> = new Map([
  ["always_on", "on"],
  ["always_off", "off"],
  ["traceidratio", "ratio"],
  ["parentbased_always_on", "on"],
  ["parentbased_always_off", "off"],
  ["parentbased_traceidratio", "ratio"],
]);
const levels = new Map([
  ["none", "silent"],
  ["verbose", "debug"],
  ["all", "debug"],
]);

export function readOtel(env: Environment, file: FileExporters, errors: ConfigErrors): OtelSettings {
  return new Otel(env, file, errors).settings();
}

class Otel {
  readonly #env: Environment;
  readonly #file: FileExporters;
  readonly #errors: ConfigErrors;
  readonly #assignments: Assignment[] = [];
  readonly #exporters = new Map<string, ExporterType>();
  readonly #guessed = new Set<string>();
  readonly #chosen = new Map<Signal, ReadonlySet<string>>();
  #tracesOff = false;

  constructor(env: Environment, file: FileExporters, errors: ConfigErrors) {
    this.#env = env;
    this.#file = file;
    this.#errors = errors;
  }

  settings(): OtelSettings {
    this.#choose();
    this.#otlp();
    this.#console();
    this.#plain();
    this.#sampler();
    return {
      assignments: this.#assignments,
      exporters: this.#exporters,
      guessed: this.#guessed,
      off: new Set(SIGNALS.filter((signal) => this.#isOff(signal))),
      disabled: this.#get("OTEL_SDK_DISABLED")?.toLowerCase() === "true",
    };
  }

  /** According to the specification an empty variable is the same as none. */
  #get(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  #choose(): void {
    for (const signal of SIGNALS) {
      const name = `OTEL_${signal.toUpperCase()}_EXPORTER`;
      const value = this.#get(name);
      if (value === undefined) continue;
      const chosen = value.split(",").map((part) => part.trim());
      const wrong = chosen.filter((part) => !destinations.includes(part as Destination));
      if (wrong.length > 0)
        this.#errors.add(name, "", `expected ${destinations.join(", ")}, got "${wrong.join(",")}"`);
      this.#chosen.set(signal, new Set(chosen));
    }
  }

  #of(signal: Signal, field: string): string {
    return `${PREFIX}${signal.toUpperCase()}_${field}`;
  }

  /**
   * The signals sent over OTLP share the exporter `otlp`; a signal with more than its own endpoint has its own
   * exporter, `otlp_traces`.
   */
  #otlp(): void {
    const inFile = this.#file.names.includes("otlp");
    const general = this.#get(`${PREFIX}ENDPOINT`) !== undefined || inFile;
    const ownEndpoint = (s: Signal) => this.#get(this.#of(s, "ENDPOINT")) !== undefined;
    const chosen = [...this.#chosen.values()].some((to) => to.has("otlp"));
    if (!general && !chosen && !SIGNALS.some(ownEndpoint)) return;

    const signals = SIGNALS.filter(
      (s) => this.#chosen.get(s)?.has("otlp") ?? (general || ownEndpoint(s) || !SIGNALS.some(ownEndpoint)),
    );
    const own = (s: Signal) =>
      ["PROTOCOL", ...Object.keys(fields)].some((field) => this.#get(this.#of(s, field)) !== undefined);
    const [first] = signals.filter((s) => !own(s));
    const usual = this.#byPort(this.#get(`${PREFIX}ENDPOINT`) === undefined ? first : undefined);
    const apart = signals.filter((s) => own(s) || (!inFile && this.#byPort(s) !== usual));
    for (const signal of apart) this.#exporter(`otlp_${signal}`, [signal], signal);
    const together = signals.filter((s) => !apart.includes(s));
    if (together.length > 0 || inFile) this.#exporter("otlp", together);
  }

  #exporter(name: string, signals: readonly Signal[], own?: Signal): void {
    const names = (field: string) => [...(own ? [this.#of(own, field)] : []), `${PREFIX}${field}`];
    const inFile = this.#file.names.includes(name);
    const guess = this.#byPort(
      own ?? (this.#get(`${PREFIX}ENDPOINT`) === undefined ? signals[0] : undefined),
    );
    this.#type(name, names("PROTOCOL"), inFile, guess);
    // A file's own list of signals applies if no variable sets it.
    if (!inFile || signals.length < SIGNALS.length) {
      this.#assign(`exporters.${name}.signals`, signals.join(","), this.#chosenBy() ?? `${PREFIX}ENDPOINT`);
    }
    this.#first([`${PREFIX}ENDPOINT`], `exporters.${name}.endpoint`);
    for (const signal of signals) {
      this.#first([this.#of(signal, "ENDPOINT")], `exporters.${name}.perSignalEndpoints.${signal}`);
    }
    if (signals.includes("metrics")) {
      this.#first([`${PREFIX}METRICS_TEMPORALITY_PREFERENCE`], `exporters.${name}.temporality`, (text) =>
        text.toLowerCase(),
      );
    }
    for (const [field, setting] of Object.entries(fields)) {
      this.#first(
        names(field),
        `exporters.${name}.${setting}`,
        field === "TIMEOUT" ? inMilliseconds : undefined,
      );
    }
  }

  /** The protocol for which a signal's endpoint (or the general one) is meant, as long as none is set. */
  #byPort(signal: Signal | undefined): Guess {
    if (this.#get(`${PREFIX}PROTOCOL`) !== undefined) return "named";
    const own = signal && this.#get(this.#of(signal, "ENDPOINT"));
    return guessOf(own ?? this.#get(`${PREFIX}ENDPOINT`));
  }

  #type(name: string, variables: readonly string[], inFile: boolean, guess: Guess): void {
    const variable = variables.find((v) => this.#get(v) !== undefined);
    const protocol = variable === undefined ? undefined : this.#get(variable)!;
    const { type, encoding } = (protocol !== undefined && protocols.get(protocol)) || {};
    if (variable !== undefined && type === undefined) {
      this.#errors.add(
        variable,
        "",
        `expected one of ${[...protocols.keys()].join(", ")}, got "${protocol}"`,
      );
    }
    if (inFile && type === undefined) return;
    const taken = type ?? (guess === "http" ? "otlp_http" : "otlp_grpc");
    if (variable === undefined && guess === "unknown") this.#guessed.add(name);
    this.#exporters.set(name, taken);
    this.#assign(`exporters.${name}.type`, taken, variable ?? this.#chosenBy() ?? `${PREFIX}ENDPOINT`);
    if (encoding !== undefined) this.#assign(`exporters.${name}.encoding`, encoding, variable);
  }

  #chosenBy(): string | undefined {
    const [signal] = [...this.#chosen].find(([, to]) => to.has("otlp")) ?? [];
    return signal && `OTEL_${signal.toUpperCase()}_EXPORTER`;
  }

  /** The last default: if nothing sets a destination, the console gets everything. */
  #console(): void {
    const nowhere = this.#file.names.length === 0 && this.#exporters.size === 0;
    const signals = SIGNALS.filter((s) => this.#chosen.get(s)?.has("console") ?? nowhere);
    const inFile = this.#file.names.includes("console");
    const listed = [...this.#chosen].find(([, to]) => to.has("console"));
    if (signals.length === 0 || (inFile && listed === undefined)) return;
    const name = listed && `OTEL_${listed[0].toUpperCase()}_EXPORTER`;
    this.#exporters.set("console", "console");
    this.#assign("exporters.console.type", "console", name);
    this.#assign("exporters.console.signals", signals.join(","), name);
    // Lines were not requested.
    if (nowhere && listed === undefined) this.#assign("exporters.console.format", "auto", undefined);
  }

  #plain(): void {
    this.#first(["OTEL_RESOURCE_ATTRIBUTES"], "resource.attributes");
    this.#first(["OTEL_SERVICE_NAME"], "service.name");
    this.#first(["OTEL_METRIC_EXPORT_INTERVAL"], "metrics.interval", inMilliseconds);
    this.#first(
      ["OTEL_LOG_LEVEL"],
      "log.level",
      (text) => levels.get(text.toLowerCase()) ?? text.toLowerCase(),
    );
  }

  #isOff(signal: Signal): boolean {
    return this.#chosen.get(signal)?.has("none") === true || (signal === "traces" && this.#tracesOff);
  }

  #sampler(): void {
    const name = this.#get("OTEL_TRACES_SAMPLER");
    if (name === undefined) return;
    const sampler = samplers.get(name.toLowerCase());
    if (sampler === undefined) {
      const expected = `expected one of ${[...samplers.keys()].join(", ")}, got "${name}"`;
      this.#errors.add("OTEL_TRACES_SAMPLER", "", expected);
    }
    this.#tracesOff = sampler === "off";
    if (sampler === "on") this.#assign("sampling.ratio", "1", "OTEL_TRACES_SAMPLER");
    if (sampler !== "ratio") return;
    const ratio = this.#get("OTEL_TRACES_SAMPLER_ARG");
    this.#assign("sampling.ratio", ratio ?? "1", `OTEL_TRACES_SAMPLER${ratio === undefined ? "" : "_ARG"}`);
  }

  #first(variables: readonly string[], path: string, mend = (text: string): string => text): void {
    const name = variables.find((v) => this.#get(v) !== undefined);
    if (name !== undefined) this.#assign(path, mend(this.#get(name)!), name);
  }

  #assign(path: string, raw: string, name: string | undefined): void {
    const origin = name === undefined ? ({ source: "default", where: "" } as const) : environment(name);
    this.#assignments.push({ path, raw, origin });
  }
}

type Guess = "grpc" | "http" | "unknown" | "named";

/** By OTLP's usual ports; gRPC has no query. */
function guessOf(endpoint = "http://localhost:4317"): Guess {
  const url = URL.parse(endpoint.includes("://") ? endpoint : `http://${endpoint}`);
  if (url?.port === "4318" || (url !== null && url.search !== "")) return "http";
  return url?.port === "4317" || endpoint.startsWith("unix:") ? "grpc" : "unknown";
}

const environment = (where: string) => ({ source: "environment", where }) as const;

/** OpenTelemetry's times are whole milliseconds without a unit. */
const inMilliseconds = (text: string): string => (/^\d+$/.test(text) ? `${text}ms` : text);
