// Runs the small applications of apps/ with the package loaded as users load it: by --import.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Certificates, hasOpenssl } from "../../../test/support/certificates.ts";

/** The module that `--import` names. */
export const register = join(import.meta.dirname, "../register.js");

/** What an application counted; see apps/table.js. */
export interface Counts {
  readonly expected: number;
  readonly right: number;
  readonly wrong: number;
  readonly overrun: number;
  readonly ended: number;
  readonly written: number;
  readonly failures: number;
}

/** The last line that `apps/NAME` printed, as JSON. Its environment is this process's plus `env`. */
export async function run<T = Counts>(
  program: string,
  name: string,
  args: readonly (string | number)[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<T> {
  const { stdout } = await promisify(execFile)(
    program,
    [`--import=${register}`, join(import.meta.dirname, "apps", name), ...args.map(String)],
    { env: { ...process.env, NODE_OPTIONS: "", ...env }, timeout: 50_000 },
  );
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as T;
}

/** A folder with server.key and server.pem, gone when disposed; undefined without openssl. */
export function serverCertificate(): ({ readonly folder: string } & Disposable) | undefined {
  if (!hasOpenssl()) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "wirespan-correlate-"));
  const certificates = new Certificates(folder);
  certificates.authority("authority");
  certificates.leaf("server", "authority");
  return {
    folder,
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true });
    },
  };
}
