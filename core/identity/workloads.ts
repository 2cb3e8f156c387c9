// Workloads by number: the kernel's sums are keyed by it, so that what a sum is reported under never changes.

import { REST } from "../bridge/workload-rows.ts";
import type { Resource } from "../plugin/signals.ts";

/** What telemetry of a process is about: its Resource, and the program that it runs. */
export interface Workload {
  /** As the kernel's sums know it (workload_of in bpf/include/wirespan/owner.h); REST: it has none of its own. */
  readonly number: number;
  /** Undefined: the host's. */
  readonly resource: Resource | undefined;
  readonly executable: string | undefined;
  /** The attributes that say whose a sum is. */
  readonly series: {
    readonly "process.executable.name"?: string | undefined;
    readonly "otel.metric.overflow"?: true;
  };
}

/** Of what no process did, or none that is known. */
const NOBODY: Workload = { number: 0, resource: undefined, executable: undefined, series: {} };

const OTHERS: Workload = { ...NOBODY, number: REST, series: { "otel.metric.overflow": true } };

/** Workloads of one container, and of one user outside of containers, but for root: nobody uses up all there are. */
export const SHARE = 128;

export class Workloads {
  readonly #limit: number;
  readonly #shares = new Map<string, number>();
  readonly #all: Workload[] = [NOBODY, OTHERS];
  readonly #byResource = new Map<Resource, Map<string | undefined, Workload>>();

  /** `limit`: workloads that have a number; sums of all others are those of REST. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#all.length - 2;
  }

  /** The one with this Resource and executable. `holder`: whose share it is of; undefined: nobody's. */
  of(resource: Resource, executable: string | undefined, holder?: string): Workload {
    const known = this.#byResource.get(resource)?.get(executable);
    if (known !== undefined) return known;
    const series = { "process.executable.name": executable };
    const share = holder === undefined ? 0 : (this.#shares.get(holder) ?? 0);
    if (this.size >= this.#limit || share >= SHARE) return { number: REST, resource, executable, series };
    if (holder !== undefined) this.#shares.set(holder, share + 1);
    const workload: Workload = { number: this.#all.length, resource, executable, series };
    this.#all.push(workload);
    const all = this.#byResource.get(resource) ?? new Map<string | undefined, Workload>();
    this.#byResource.set(resource, all.set(executable, workload));
    return workload;
  }

  /** That of a sum's key. */
  at(number: number): Workload {
    return this.#all[number] ?? OTHERS;
  }
}
