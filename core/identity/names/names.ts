// Names of containers and pods from other programs, read periodically, because the kernel does not have them. Tests:
// core/identity/names/names.test.ts.
import type { Log } from "../../plugin/log.ts";
import { cut, hasControl } from "../plain.ts";

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

/** Milliseconds between two requests, and between two that are made because a container is unknown. */
const INTERVAL = 5000;
const SOONEST = 1000;
/** Limits: containers and pods of one source, and bytes of a name. */
const MOST = 4096;
const LONGEST = 256;
const NONE: Named = {};

export class Names implements Disposable {
  readonly #sources: readonly Source[];
  readonly #log: Log;
  readonly #answers = new Map<Source, Answer>();
  readonly #failing = new Set<Source>();
  #asked = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

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

  /** The current names of a container and of its pod. If one of them is unknown, all sources are read again soon. */
  of(containerId: string | undefined, podUid: string | undefined): Named {
    if (this.#sources.length === 0 || (containerId === undefined && podUid === undefined)) return NONE;
    const answers = [...this.#answers.values()];
    const found = answers.flatMap(({ pods, containers }) => [
      (podUid !== undefined && pods.get(podUid)) || NONE,
      (containerId !== undefined && containers.get(containerId)) || NONE,
    ]);
    const named: Named = Object.assign({}, ...found);
    if (Object.keys(named).length === 0 && performance.now() - this.#asked > SOONEST) void this.#ask();
    return named;
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
  }

  #ask(): Promise<void> {
    this.#asked = performance.now();
    this.#asking ??= Promise.all(this.#sources.map((source) => this.#askOne(source))).then(() => {
      this.#asking = undefined;
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

function bounded(known: ReadonlyMap<string, Named>): ReadonlyMap<string, Named> {
  const kept = new Map<string, Named>();
  for (const [key, named] of known) {
    if (kept.size === MOST) break;
    const clean = Object.entries(named).filter(([, value]) => value !== "" && !hasControl(value));
    kept.set(key, Object.fromEntries(clean.map(([name, value]) => [name, cut(value, LONGEST)])));
  }
  return kept;
}
