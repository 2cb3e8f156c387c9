// What arrived, with the workload that it is of.
import type { OtlpSink } from "../support/otlp-sink.ts";

export type Owner = Readonly<Record<string, unknown>>;

/** The Resource of each span of this name, in order of arrival. */
export function ownersOf(sink: OtlpSink, name: string): Owner[] {
  return sink.received.flatMap((each) =>
    each.signal !== "traces"
      ? []
      : each.decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
          scopeSpans.flatMap(({ spans }) =>
            spans.filter((span) => span.name === name).map(() => resource.attributes),
          ),
        ),
  );
}
