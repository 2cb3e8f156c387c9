// One row with all of its content, for display and export. Tests: store/query/queries.test.ts.
import { IDS, KINDS, LINK, type Rows } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";
import { hex } from "../hex.ts";
import type { Signal } from "../signal.ts";
import type { Resources } from "./resources.ts";

/** Row `i` with all of its content; `linksAt`: bytes of links before it. */
export function traceRow(
  signal: Signal,
  rows: Rows,
  i: number,
  linksAt: number,
  resources: Resources,
): TraceRow {
  const { signal: kind, name, scope, severity } = signal.declaration;
  const at = i * IDS;
  const parent = hex(rows.ids.subarray(at + 24, at + IDS));
  const error = rows.error[i]! === 0 ? undefined : rows.words[rows.error[i]!];
  const links = Array.from({ length: rows.linkCount[i]! }, (_, link) => {
    const from = linksAt + link * LINK;
    return {
      trace: hex(rows.links.subarray(from, from + 16)),
      span: hex(rows.links.subarray(from + 16, from + LINK)),
    };
  });
  return {
    signal: kind,
    name,
    scope,
    ...(severity && { severity }),
    trace: hex(rows.ids.subarray(at, at + 16)),
    span: hex(rows.ids.subarray(at + 16, at + 24)),
    ...(/[^0]/.test(parent) && { parent }),
    start: rows.start[i]! / 1e6,
    ...(kind === "span" && { duration: rows.duration[i]! / 1e9, kind: KINDS[rows.kind[i]!] ?? "internal" }),
    ...(error !== undefined && { error }),
    service: resources.service(rows.resource[i]!),
    resource: rows.resource[i]!,
    attributes: signal.attributes(rows, i),
    ...(links.length > 0 && { links }),
  };
}
