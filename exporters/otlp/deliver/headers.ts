// The headers of every request; those from files are reloaded if the files have changed.
import { readFile } from "node:fs/promises";
import { WirespanError } from "../../../core/plugin/errors.ts";
import { WatchedFiles } from "./watched-files.ts";

type Texts = Readonly<Record<string, string>>;

export interface HeaderConfig {
  readonly headers: Texts;
  /** Paths of the files that hold the values of more headers. */
  readonly headerFiles?: Texts;
}

/** Throws CONFIG_INVALID for headers that the protocol cannot carry; returns them in the form that it requires. */
export type CheckHeaders = (exporter: string, headers: Texts) => Texts;

export class Headers {
  readonly #exporter: string;
  readonly #fixed: Texts;
  readonly #files: Texts;
  readonly #watched: WatchedFiles;
  readonly #check: CheckHeaders;
  #current: Texts = {};

  private constructor(exporter: string, { headers, headerFiles = {} }: HeaderConfig, check: CheckHeaders) {
    this.#exporter = exporter;
    this.#fixed = headers;
    this.#files = headerFiles;
    this.#watched = new WatchedFiles(Object.values(headerFiles));
    this.#check = check;
  }

  /** Throws CONFIG_INVALID or CONFIG_UNREADABLE for invalid headers or files. */
  static async read(exporter: string, config: HeaderConfig, check: CheckHeaders): Promise<Headers> {
    const headers = new Headers(exporter, config, check);
    await headers.#watched.changed();
    headers.#current = await headers.#read();
    headers.#watched.take();
    return headers;
  }

  get current(): Texts {
    return this.#current;
  }

  /** Reloads changed files; returns whether there are new values. Throws WirespanError if one cannot be used: the old value stays. */
  async refresh(atOnce = false): Promise<boolean> {
    if (!(await this.#watched.changed(atOnce))) return false;
    const before = this.#current;
    this.#current = await this.#read();
    this.#watched.take();
    return Object.entries(this.#current).some(([header, value]) => before[header] !== value);
  }

  async #read(): Promise<Texts> {
    const values = await Promise.all(
      Object.entries(this.#files).map(async ([header, path]) => {
        const value = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
          const message = `exporters.${this.#exporter}.headers.${header}: cannot read ${path} (${cause.code})`;
          throw new WirespanError("CONFIG_UNREADABLE", message, { cause });
        });
        return [header, value.replace(/\r?\n$/, "")] as const;
      }),
    );
    return this.#check(this.#exporter, { ...this.#fixed, ...Object.fromEntries(values) });
  }
}
