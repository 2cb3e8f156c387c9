// An event as a LogRecord, an item of ScopeLogs.
import type { Event, EventSpec } from "../../../core/plugin/signals.ts";
import { AttributeWriter, writeValue } from "./attributes.ts";
import { RecordedWriter } from "./recorded.ts";
import { type Writer, written } from "./writer.ts";

const SEVERITIES = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 } as const;

/** Tag of a log record's attributes. */
const ATTRIBUTES = 0x32;

const recorded = new RecordedWriter(ATTRIBUTES);

interface Prepared {
  /** severity_number and event_name. */
  readonly fixed: Buffer;
  readonly attributes: AttributeWriter;
}

const prepared = new WeakMap<EventSpec, Prepared>();

function preparedFor(spec: EventSpec): Prepared {
  let encoding = prepared.get(spec);
  if (encoding === undefined) {
    const fixed = written((w) => {
      w.byte(0x10);
      w.byte(SEVERITIES[spec.severity]);
      w.byte(0x62);
      w.string(spec.name);
    });
    encoding = { fixed, attributes: new AttributeWriter(ATTRIBUTES, spec.attributes) };
    prepared.set(spec, encoding);
  }
  return encoding;
}

/** The kernel observed it and the agent read it: one time serves as both `time` and `observed_time`. */
export function writeEvent(w: Writer, event: Event): void {
  const { fixed, attributes } = preparedFor(event.spec);
  w.ensure(fixed.length + 64);
  w.byte(0x12);
  const mark = w.open();
  w.byte(0x09);
  w.time(event.time);
  w.byte(0x59);
  w.time(event.time);
  w.raw(fixed);
  if (event.body !== undefined) {
    w.byte(0x2a);
    const body = w.open();
    writeValue(w, event.body);
    w.close(body);
  }
  if (event.recorded) recorded.write(w, event.recorded);
  else attributes.write(w, event.attributes);
  if (event.context !== undefined) {
    w.ensure(64);
    w.byte(0x45);
    w.fixed32(1);
    w.id(0x4a, event.context.traceId);
    w.id(0x52, event.context.spanId);
  }
  w.close(mark);
}
