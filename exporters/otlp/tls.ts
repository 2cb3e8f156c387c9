// The files that a TLS connection needs, read when the exporter is made.
import { readFile } from "node:fs/promises";
import { WirespanError } from "../../core/errors.ts";
import type { TlsConfig } from "../config.ts";

/** PEM contents; all absent where the system's defaults do. */
export interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** Throws CONFIG_INVALID for a certificate without key or the reverse, CONFIG_UNREADABLE for a file. */
export async function readTls(exporter: string, tls: TlsConfig): Promise<TlsFiles> {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${exporter}.tls: a client certificate needs both cert and key`,
    );
  }
  const [ca, cert, key] = await Promise.all(
    (["ca", "cert", "key"] as const).map(async (part) => {
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
