// Findings of the page's rules, as events for alerts in a backend.
import type { Event, EventSpec, Resource, Scope } from "../core/plugin/signals.ts";
import type { RaisedFinding } from "../exporters/local/store-process.ts";

export const FINDING = {
  finding: {
    signal: "event",
    name: "wirespan.finding",
    severity: "WARN",
    description:
      "A rule of the page fired: it compares the last minute with the hour before. Only if the viewer is enabled.",
    attributes: {
      "wirespan.finding.rule": {
        type: "string",
        requirement: "required",
        description: "The rule, such as accept-queue-full.",
      },
      "wirespan.finding.severity": {
        type: "string",
        requirement: "required",
        enum: ["failing", "slow", "unusual"],
        description:
          "failing: requests fail; slow: they are slow, or data is retransmitted; unusual: neither is known.",
      },
      "wirespan.finding.subject": {
        type: "string",
        requirement: "required",
        description: "The edge, listener, queue or CPU that it is about.",
      },
      "wirespan.finding.count": {
        type: "int",
        requirement: "required",
        description: "How many in the last minute.",
      },
      "wirespan.finding.ratio": {
        type: "double",
        requirement: "conditional",
        description: "How many times as much as in the hour before, if there is anything to compare with.",
      },
      "wirespan.finding.next": {
        type: "string",
        requirement: "recommended",
        description: "What to look at or to do next.",
      },
    },
  },
} as const satisfies Readonly<Record<string, EventSpec>>;

export function findingEvent(finding: RaisedFinding, resource: Resource, scope: Scope): Event {
  const { rule, severity, subject, count, ratio, next, text, since } = finding;
  const sec = Math.floor(since);
  return {
    spec: FINDING.finding,
    scope,
    resource,
    time: { sec, nsec: Math.floor((since - sec) * 1e9) },
    attributes: {
      "wirespan.finding.rule": rule,
      "wirespan.finding.severity": severity,
      "wirespan.finding.subject": subject,
      "wirespan.finding.count": count,
      "wirespan.finding.ratio": ratio,
      "wirespan.finding.next": next,
    },
    body: text,
  };
}
