// Names of containers and pods from other programs, read periodically, because the kernel does not have them. Tests:
// core/identity/names/names.test.ts.

import { cut } from "../../base/text.ts";
import type { Log } from "../../plugin/log.ts";
import { LruCache } from "../../plugin/lru.ts";
import { hasControl } from "../plain.ts";

/** Attributes for a container or a pod, such as k8s.pod.name. */
export type Named = Readonly<Record<string, string>>;

/** The names from one source, by container.id and by k8s.pod.uid. */
export interface Answer {
  readonly containers: ReadonlyMap<string, Named>;
  readonly pods: ReadonlyMap<string, Named>;
}

/** A source of names: a kubelet, a container runtime. */
export interface Source {
  /** Its name in the log. */
  readonly name: string;
  /** All current names; throws if there is no response within a few seconds. */
  ask(): Promise<Answer>;
}

/** Reads each entry of a response; one that is malformed costs only its own names. */
export function readEach<T>(entries: Iterable<T>, read: (entry: T) => void): void {
  for (const entry of entries) {
    try {
      read(entry);
    } catch {
      // Not what the API defines: there is nothing to read in it.
    }
  }
}

/** Milliseconds between two requests, and between two that are made because a container is unknown. */
const INTERVAL = 5000;
const SOONEST = 1000;
/** How long to wait for the names of a new container, milliseconds: a kubelet lists its id 1 to 2 s after the start. */
const PATIENCE = 3000;
/** Limits: containers and pods of one source, and bytes of a name. */
const MOST = 4096;
const LONGEST = 256;
const NONE: Named = {};

interface Missing {
  readonly containerId: string | undefined;
  readonly podUid: string | undefined;
  /** Fires after PATIENCE. */
  readonly end: NodeJS.Timeout;
}

export class Names implements Disposable {
  readonly #sources: readonly Source[];
  readonly #log: Log;
  readonly #answers = new Map<Source, Answer>();
  readonly #failing = new Set<Source>();
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** Containers whose names are being requested, by key. */
  readonly #missing = new Map<string, Missing>();
  /** Keys of containers that no source has named in time. */
  readonly #givenUp = new LruCache<string, true>(MOST);
  #changed: () => void = () => {};

  constructor(sources: readonly Source[], log: Log) {
    this.#sources = sources;
    this.#log = log;
  }

  /** Whether there are any sources. */
  get hasSources(): boolean {
    return this.#sources.length > 0;
  }

  /** Resolves when every source has responded once, or has failed to; from then on they are read periodically. */
  async start(): Promise<void> {
    if (this.#sources.length === 0) return;
    await this.#ask();
    this.#timer = setInterval(() => void this.#ask(), INTERVAL).unref();
  }

  /** Must be called once: `changed` is called whenever the result of `awaits` may have changed. */
  listen(changed: () => void): void {
    this.#changed = changed;
  }

  /** The current names of a container and of its pod. */
  of(containerId: string | undefined, podUid: string | undefined): Named {
    if (this.#sources.length === 0 || (containerId === undefined && podUid === undefined)) return NONE;
    const answers = [...this.#answers.values()];
    const found = answers.flatMap(({ pods, containers }) => [
      (podUid !== undefined && pods.get(podUid)) || NONE,
      (containerId !== undefined && containers.get(containerId)) || NONE,
    ]);
    return Object.assign({}, ...found);
  }

  /**
   * Whether names of this container or its pod are still being requested. If some are missing, all sources are read: at
   * once, or a second after the last request, and again until the names are known, but no longer than PATIENCE.
   */
  awaits(containerId: string | undefined, podUid: string | undefined): boolean {
    if (containerId === undefined && podUid === undefined) return false;
    // There is no point in waiting for sources that do not respond.
    if (this.#failing.size === this.#sources.length) return false;
    const key = `${podUid} ${containerId}`;
    if (this.#missing.has(key)) return true;
    if (this.#knows(containerId, podUid) || this.#givenUp.get(key)) return false;
    const end = setTimeout(() => this.#giveUp(key), PATIENCE).unref();
    this.#missing.set(key, { containerId, podUid, end });
    this.#askSoon();
    return true;
  }

  /** Those that match, by container.id and by k8s.pod.uid: what a filter means by a name. */
  find(matches: (named: Named) => boolean): { readonly containers: string[]; readonly pods: string[] } {
    const keys = (known: ReadonlyMap<string, Named>) =>
      [...known].flatMap(([key, named]) => (matches(named) ? [key] : []));
    const answers = [...this.#answers.values()];
    return {
      containers: answers.flatMap(({ containers }) => keys(containers)),
      pods: answers.flatMap(({ pods }) => keys(pods)),
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    for (const { end } of this.#missing.values()) clearTimeout(end);
    this.#missing.clear();
  }

  /** Whether the pod and the container both have a name. */
  #knows(containerId: string | undefined, podUid: string | undefined): boolean {
    const named = this.of(containerId, podUid);
    if (podUid !== undefined && named["k8s.pod.name"] === undefined) return false;
    return (
      containerId === undefined || (named["k8s.container.name"] ?? named["container.name"]) !== undefined
    );
  }

  #giveUp(key: string): void {
    this.#missing.delete(key);
    this.#givenUp.set(key, true);
    this.#changed();
  }

  #askSoon(): void {
    const ask = () => {
      this.#soon = undefined;
      void this.#ask();
    };
    this.#soon ??= setTimeout(ask, Math.max(0, this.#asked + SOONEST - performance.now())).unref();
  }

  /** Updates what is missing after all sources have responded or failed. */
  #answered(): void {
    const failed = this.#failing.size === this.#sources.length;
    for (const [key, { containerId, podUid, end }] of this.#missing) {
      if (!failed && !this.#knows(containerId, podUid)) continue;
      clearTimeout(end);
      this.#missing.delete(key);
    }
    if (this.#missing.size > 0) this.#askSoon();
    this.#changed();
  }

  #ask(): Promise<void> {
    if (this.#asking) return this.#asking;
    this.#asked = performance.now();
    this.#asking = Promise.all(this.#sources.map((source) => this.#askOne(source))).then(() => {
      this.#asking = undefined;
      this.#answered();
    });
    return this.#asking;
  }

  /** If a source no longer responds, its previous names are kept. */
  async #askOne(source: Source): Promise<void> {
    try {
      const { containers, pods } = await source.ask();
      this.#answers.set(source, { containers: bounded(containers), pods: bounded(pods) });
      if (this.#failing.delete(source)) this.#log.info({}, `${source.name} answers again`);
    } catch (error) {
      if (this.#failing.has(source)) return;
      this.#failing.add(source);
      this.#log.warn({}, `no names from ${source.name}: ${(error as Error).message}`);
    }
  }
}

/** A value of another type comes from a malformed response. */
function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !hasControl(value);
}

function bounded(known: ReadonlyMap<string, Named>): ReadonlyMap<string, Named> {
  const kept = new Map<string, Named>();
  for (const [key, named] of known) {
    if (kept.size === MOST) break;
    if (typeof key !== "string" || key.length > LONGEST) continue;
    const clean = Object.entries(named).filter(([, value]) => isName(value));
    kept.set(key, Object.fromEntries(clean.map(([name, value]) => [name, cut(value, LONGEST)])));
  }
  return kept;
}
