// Attributes and Resource of a sum, from the workload in its key.
import type { Workload } from "./services.ts";
import type { Resource } from "./signals.ts";

/** The part of a sum's key that identifies its series. */
export interface WorkloadKey {
  readonly workload: number;
  /** 4 or 6; 0: not known. */
  readonly family?: number;
}

export interface Series<D> {
  /** With declared names: WORKLOAD of core/plugin/semconv.ts. */
  readonly attributes: Workload["series"] & {
    readonly "network.type": "ipv4" | "ipv6" | undefined;
    readonly "wirespan.connection.direction": D;
  };
  /** Undefined: the host's. */
  readonly resource: Resource | undefined;
}

/** The series of a sum's key; `direction`: that of the summed connections. */
export type SeriesOf = <const D extends "outbound" | "inbound" | "unknown" | undefined = undefined>(
  key: WorkloadKey,
  direction?: D,
) => Series<D>;

/** The attribute `network.type` of a family in records; undefined if it is neither 4 nor 6. */
export function networkType(family: number | undefined): "ipv4" | "ipv6" | undefined {
  return family === 4 ? "ipv4" : family === 6 ? "ipv6" : undefined;
}

/** `workload`: looks a number up. */
export function seriesFrom(workload: (number: number) => Workload): SeriesOf {
  return (key, direction) => {
    const { series, resource } = workload(key.workload);
    const attributes = {
      ...series,
      "network.type": networkType(key.family),
      "wirespan.connection.direction": direction as NonNullable<typeof direction>,
    };
    return { attributes, resource };
  };
}
