// Workloads by number: the kernel's sums are keyed by it, so that a sum never changes its workload.

import { REST } from "../bridge/workload-rows.ts";
import type { Workload } from "../plugin/services.ts";
import type { Resource } from "../plugin/signals.ts";

/** For what no process, or no known one, did. */
const NOBODY: Workload = { number: 0, resource: undefined, executable: undefined, series: {} };

const OTHERS: Workload = { ...NOBODY, number: REST, series: { "otel.metric.overflow": true } };

/**
 * Maximum workloads of one container, and of one user outside of containers except root, so that none uses up all of
 * them.
 */
const SHARE = 128;

export class Workloads {
  readonly #limit: number;
  readonly #shares = new Map<string, number>();
  readonly #all: Workload[] = [NOBODY, OTHERS];
  readonly #byResource = new Map<Resource, Map<string | undefined, Workload>>();

  /** `limit`: number of workloads with a number; sums of all others belong to REST. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#all.length - 2;
  }

  /** The one with this Resource and executable. `holder`: whose share it counts against; undefined: no share. */
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

  /** That with the number in a sum's key. */
  at(number: number): Workload {
    return this.#all[number] ?? OTHERS;
  }
}
