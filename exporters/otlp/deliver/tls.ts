// The files of a TLS connection, reloaded if they have changed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { WirespanError } from "../../../core/plugin/errors.ts";
import type { TlsConfig } from "../../config.ts";
import { WatchedFiles } from "./watched-files.ts";

/** PEM contents; undefined for the system's defaults. */
export interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

const PARTS = ["ca", "cert", "key"] as const;

/** Files in which distributions keep all authorities that the host trusts. */
const STORES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Throws CONFIG_INVALID for a certificate without key or the reverse, CONFIG_UNREADABLE for a file. */
async function readTls(exporter: string, tls: TlsConfig): Promise<TlsFiles> {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${exporter}.tls: a client certificate needs both cert and key`,
    );
  }
  const [ca, cert, key] = await Promise.all(
    PARTS.map(async (part) => {
      const path = tls[part];
      if (path === undefined) return undefined;
      return readFile(path).catch((cause: Error) => {
        const message = `exporters.${exporter}.tls.${part}: cannot read ${path} (${cause.message})`;
        throw new WirespanError("CONFIG_UNREADABLE", message, { cause });
      });
    }),
  );
  return { ca, cert, key };
}

/** The authorities of Node and those of the host, as PEM. */
export function trustedAuthorities(env: NodeJS.ProcessEnv = process.env): string[] {
  const known = new Set(getCACertificates("default").map((pem) => pem.trim()));
  const blocks = storeFiles(env).flatMap((path) => {
    try {
      return (
        readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
      );
    } catch {
      return [];
    }
  });
  return [
    ...known,
    ...new Set(blocks.map((pem) => pem.replaceAll("\r", "")).filter((pem) => !known.has(pem))),
  ];
}

/** SSL_CERT_FILE and SSL_CERT_DIR as in OpenSSL and Go. */
function storeFiles({ SSL_CERT_FILE: file, SSL_CERT_DIR: folders }: NodeJS.ProcessEnv): string[] {
  const store = file || STORES.find((path) => existsSync(path));
  const inFolders = (folders ?? "")
    .split(":")
    .filter((folder) => folder !== "" && existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  return [...(store === undefined ? [] : [store]), ...inFolders];
}

/** The context of an exporter's connections; made when the first one needs it. */
export class TlsSource {
  readonly #exporter: string;
  readonly #config: TlsConfig;
  readonly #watched: WatchedFiles;
  #files: TlsFiles;
  #context: SecureContext | undefined;

  private constructor(exporter: string, config: TlsConfig, watched: WatchedFiles, files: TlsFiles) {
    this.#exporter = exporter;
    this.#config = config;
    this.#watched = watched;
    this.#files = files;
  }

  /** Throws CONFIG_INVALID or CONFIG_UNREADABLE for files that cannot be used. */
  static async read(exporter: string, config: TlsConfig): Promise<TlsSource> {
    const paths = PARTS.map((part) => config[part]).filter((path) => path !== undefined);
    const watched = new WatchedFiles(paths);
    await watched.changed();
    const source = new TlsSource(exporter, config, watched, await readTls(exporter, config));
    watched.take();
    if (paths.length > 0) source.#context = source.#make(source.#files);
    return source;
  }

  get files(): TlsFiles {
    return this.#files;
  }

  context(): SecureContext {
    this.#context ??= this.#make(this.#files);
    return this.#context;
  }

  /**
   * Reloads changed files; returns whether there are new ones. Throws WirespanError if they cannot be used, and keeps
   * the old ones: a key and its certificate are not replaced at the same moment.
   */
  async refresh(atOnce = false): Promise<boolean> {
    if (!(await this.#watched.changed(atOnce))) return false;
    const before = this.#files;
    const files = await readTls(this.#exporter, this.#config);
    const same = PARTS.every((part) => before[part]?.equals(files[part]!) ?? true);
    if (!same) {
      this.#context = this.#make(files);
      this.#files = files;
    }
    this.#watched.take();
    return !same;
  }

  #make({ ca, cert, key }: TlsFiles): SecureContext {
    for (const [part, text] of [
      ["ca", ca],
      ["cert", cert],
    ] as const) {
      if (text === undefined || /-----BEGIN (\w+ )?CERTIFICATE-----/.test(text.toString("latin1"))) continue;
      const message = `exporters.${this.#exporter}.tls.${part}: ${this.#config[part]} contains no PEM certificate`;
      throw new WirespanError("CONFIG_INVALID", message);
    }
    try {
      return createSecureContext({
        ca: ca ?? trustedAuthorities(),
        ...(cert && { cert }),
        ...(key && { key }),
        minVersion: "TLSv1.2",
      });
    } catch (cause) {
      throw new WirespanError("CONFIG_INVALID", this.#unusable(cause as NodeJS.ErrnoException), { cause });
    }
  }

  #unusable({ code, message }: NodeJS.ErrnoException): string {
    const at = `exporters.${this.#exporter}.tls`;
    const { ca, cert, key } = this.#config;
    if (code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH") {
      return `${at}: the key in ${key} does not match the certificate in ${cert}`;
    }
    if (/PASSWORD|BAD_DECRYPT|PASS/.test(code ?? "")) {
      return `${at}.key: ${key} is encrypted; use a key without a passphrase`;
    }
    const files = [ca, cert, key].filter(Boolean).join(", ");
    return `${at}: ${files}: not usable as PEM certificates and key (${message.replace(/^error:[^:]*:/, "").replaceAll(/\s+/g, " ")})`;
  }
}
