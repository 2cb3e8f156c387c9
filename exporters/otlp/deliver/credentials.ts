// An exporter's credentials: certificates and headers, reloaded when their files change.
import type { Log } from "../../../core/plugin/log.ts";
import type { TlsConfig } from "../../config.ts";
import { type CheckHeaders, type HeaderConfig, Headers } from "./headers.ts";
import { TlsSource } from "./tls.ts";

type Texts = Readonly<Record<string, string>>;

export class Credentials {
  readonly tls: TlsSource;
  readonly #headers: Headers;
  readonly #exporter: string;
  readonly #log: Log;
  /** What is wrong with the files, by part. The first failure is not reported: a renewal may be in progress. */
  readonly #wrong = new Map<string, { readonly message: string; reported: boolean }>();

  private constructor(exporter: string, tls: TlsSource, headers: Headers, log: Log) {
    this.#exporter = exporter;
    this.tls = tls;
    this.#headers = headers;
    this.#log = log;
  }

  /** Throws WirespanError for a header or a file that cannot be used. */
  static async read(
    exporter: string,
    config: HeaderConfig & { readonly tls: TlsConfig },
    check: CheckHeaders,
    log: Log,
  ): Promise<Credentials> {
    const headers = await Headers.read(exporter, config, check);
    return new Credentials(exporter, await TlsSource.read(exporter, config.tls), headers, log);
  }

  get headers(): Texts {
    return this.#headers.current;
  }

  /** Returns the parts that were reloaded: `tls`, `headers`. */
  async refresh(atOnce = false): Promise<readonly string[]> {
    const parts = [
      ["tls", this.tls],
      ["headers", this.#headers],
    ] as const;
    const renewed: string[] = [];
    for (const [part, source] of parts) {
      try {
        if (!(await source.refresh(atOnce))) continue;
        renewed.push(part);
        this.#wrong.delete(part);
        this.#log.info(
          { exporter: this.#exporter },
          `exporters.${this.#exporter}.${part}: changed files reloaded`,
        );
      } catch (error) {
        this.#complain(part, (error as Error).message);
      }
    }
    return renewed;
  }

  #complain(part: string, message: string): void {
    const before = this.#wrong.get(part);
    const again = before?.message === message;
    if (!again) this.#wrong.set(part, { message, reported: false });
    if (!again || before.reported) return;
    before.reported = true;
    this.#log.warn({ exporter: this.#exporter }, `${message}; the previous files stay in use`);
  }
}
