// What arrived, with the workload that it belongs to.
import type { OtlpSink } from "../support/otlp-sink.ts";

export type Owner = Readonly<Record<string, unknown>>;

/** The resource of each span with this name, and of each export of a metric with this name, in order of arrival. */
export function ownersOf(sink: OtlpSink, name: string): Owner[] {
  const named = (all: readonly { readonly name: string }[]) => all.filter((each) => each.name === name);
  return sink.received.flatMap((each): readonly Owner[] => {
    if (each.signal === "traces")
      return each.decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => named(spans).map(() => resource.attributes)),
      );
    if (each.signal === "metrics")
      return each.decoded.resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) => named(metrics).map(() => resource.attributes)),
      );
    return [];
  });
}
