// A span as an item of ScopeSpans.
import type { Span, SpanContext, SpanSpec } from "../../../core/plugin/signals.ts";
import { AttributeWriter } from "./attributes.ts";
import { RecordedWriter } from "./recorded.ts";
import { Template, type Writer, written } from "./writer.ts";

const KINDS = { internal: 1, server: 2, client: 3 } as const;

/** Tag of a span's attributes. */
const ATTRIBUTES = 0x4a;

const SAMPLED = 0x001;
const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

const recorded = new RecordedWriter(ATTRIBUTES);

interface Prepared {
  readonly name: Template;
  readonly attributes: AttributeWriter;
}

const prepared = new WeakMap<SpanSpec, Prepared>();

function preparedFor(spec: SpanSpec): Prepared {
  let encoding = prepared.get(spec);
  if (encoding === undefined) {
    const name = written((w) => {
      w.byte(0x2a);
      w.string(spec.name);
    });
    encoding = { name: new Template(name), attributes: new AttributeWriter(ATTRIBUTES, spec.attributes) };
    prepared.set(spec, encoding);
  }
  return encoding;
}

export function writeSpan(w: Writer, span: Span): void {
  const { name, attributes } = preparedFor(span.spec);
  w.ensure(name.length + 128);
  w.byte(0x12);
  const mark = w.open();
  w.id(0x0a, span.traceId);
  w.id(0x12, span.spanId);
  if (span.traceState !== undefined) {
    w.byte(0x1a);
    w.string(span.traceState);
    w.ensure(name.length + 64);
  }
  if (span.parentSpanId !== undefined) w.id(0x22, span.parentSpanId);
  w.template(name);
  w.byte(0x30);
  w.byte(KINDS[span.kind]);
  w.byte(0x39);
  w.time(span.start);
  w.byte(0x41);
  w.time(span.end);
  if (span.recorded) recorded.write(w, span.recorded);
  else attributes.write(w, span.attributes);
  if (span.links !== undefined) for (const link of span.links) writeLink(w, link);
  if (span.error !== undefined) writeError(w, span.error);
  w.ensure(8);
  w.byte(0x85);
  w.byte(0x01);
  const isRemote = span.parentIsRemote === true && span.parentSpanId !== undefined;
  w.fixed32(SAMPLED | HAS_IS_REMOTE | (isRemote ? IS_REMOTE : 0));
  w.close(mark);
}

function writeLink(w: Writer, link: SpanContext): void {
  w.ensure(64);
  w.byte(0x6a);
  const mark = w.open();
  w.id(0x0a, link.traceId);
  w.id(0x12, link.spanId);
  w.byte(0x35);
  // Linked spans belong to an application, thus to another process.
  w.fixed32(SAMPLED | HAS_IS_REMOTE | IS_REMOTE);
  w.close(mark);
}

function writeError(w: Writer, description: string): void {
  w.ensure(16);
  w.byte(0x7a);
  const mark = w.open();
  if (description !== "") {
    w.byte(0x12);
    w.string(description);
    w.ensure(8);
  }
  w.byte(0x18);
  w.byte(2);
  w.close(mark);
}
