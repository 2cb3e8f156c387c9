// Whether the page is enabled, and where its data is stored. Tests: test/system/viewer.kernel.test.ts.
import { randomBytes } from "node:crypto";
import { accessSync, constants, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { isOpenToOthers } from "../config/viewer.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Resource } from "../core/plugin/signals.ts";
import type { LocalExporter } from "../exporters/local/local-exporter.ts";
import type { RaisedFinding, StoreOptions } from "../exporters/local/store-process.ts";
import { Recordings } from "./recordings.ts";

/** The exporter's name in status and metrics; no exporter of the configuration can have it. */
const NAME = "viewer (local)";

/** `auto`: only if no exporter is configured. */
export function showsPage({ viewer, exporters }: Config): boolean {
  if (viewer.enabled !== "auto") return viewer.enabled === "true";
  return Object.values(exporters).every(
    (exporter) => exporter.type === "console" && exporter.format === "auto",
  );
}

/** The first of the usual folders to which this user may write. */
function defaultFile(): string {
  const state = process.env.STATE_DIRECTORY?.split(":")[0];
  const folders = [
    ...(state ? [state] : []),
    "/var/lib/wirespan",
    join(tmpdir(), `wirespan-${process.getuid!()}`),
  ];
  const folder = folders.find((one) => {
    try {
      mkdirSync(one, { recursive: true, mode: 0o755 });
      accessSync(one, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
  return join(folder ?? tmpdir(), "viewer.db");
}

/** The database: as configured, or the agent's default. */
export function databaseOf({ viewer }: Config): string {
  return viewer.file || defaultFile();
}

/** The settings of the store. */
function storeOptions(config: Config, host: Resource): StoreOptions {
  const { viewer } = config;
  const sudo = Number(process.env.SUDO_UID);
  return {
    file: databaseOf(config),
    bytes: viewer.bytes,
    rate: viewer.rate,
    hostInstance: String(host.attributes["service.instance.id"]),
    address: viewer.address,
    ...(viewer.token && { token: viewer.token }),
    isOpen: isOpenToOthers(viewer.address),
    users: [process.getuid!(), ...viewer.users, ...(Number.isInteger(sudo) ? [sudo] : [])],
    receive: viewer.receive,
    receiveFrom: viewer.receiveFrom.length > 0 ? viewer.receiveFrom : "anyone",
  };
}

/** Starts the store, and returns the page's address. */
export async function createViewer(
  config: Config,
  host: Resource,
  log: Log,
  onUrl: (url: string) => void,
  onFinding: (finding: RaisedFinding) => void,
): Promise<LocalExporter> {
  const options = storeOptions(config, host);
  if (config.viewer.file) mkdirSync(dirname(config.viewer.file), { recursive: true });
  const recordings = config.viewer.recordOn.includes("finding")
    ? new Recordings(options.file, log)
    : undefined;
  const local = await import("../exporters/local/local-exporter.ts");
  const exporter = new local.LocalExporter(NAME, options, log, (report) => {
    if ("finding" in report) {
      onFinding(report.finding);
      void recordings?.take(report.finding.text);
    }
    if ("problem" in report) log.warn({}, report.problem);
    if (!("ready" in report)) return;
    const { url } = report.ready;
    const kept = `kept in ${options.file} (at most ${Math.round(options.bytes / 1024 ** 2)} MiB; viewer: false disables this)`;
    if (url === undefined) log.info({}, `the page is not available; data is ${kept}`);
    else {
      onUrl(url);
      if (options.isOpen)
        log.warn({}, `${url} sends the page and its token without encryption: put TLS in front of it`);
      log.info({ url }, `${url} shows this host's connections; data is ${kept}`);
      if (options.receive)
        log.info(
          {},
          `applications may send their spans: OTEL_EXPORTER_OTLP_ENDPOINT=${url.replace(/\/$/, "")} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
        );
    }
  });
  return exporter;
}

/** An address for one visit. Throws CONTROL if this agent has no page. */
export function oneTimeUrl(viewer: LocalExporter | undefined): string {
  const url = viewer?.invite(randomBytes(24).toString("base64url"));
  if (url !== undefined) return url;
  throw new WirespanError(
    "CONTROL",
    viewer === undefined
      ? "This agent shows no page: exporters are configured, or viewer is false. `viewer: true` shows it."
      : "The page is not shown; the agent's log says why.",
  );
}
