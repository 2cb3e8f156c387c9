// Runs every expression of every panel and rule in real stores, after real traffic whose numbers are known.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type StagedStore, stageDashboards } from "../test/backend/dashboard-stage.ts";
import { needBackends } from "../test/backend/find.ts";
import type { Sample } from "../test/backend/prometheus.ts";
import { needsRoot } from "../test/support/netns.ts";
import { complaints, numberOf } from "./expected/complaints.ts";
import type { Known } from "./expected/known.ts";
import { alertsExpected, recordingsExpected } from "./expected/rules.ts";
import { TABLES } from "./expected/tables.ts";
import { type Subject, variablesOf } from "./panels.ts";
import { ALERTS, RECORDINGS } from "./rules.ts";
import { SUBJECTS } from "./subjects.ts";

const RULES = join(import.meta.dirname, "prometheus", "wirespan.rules.yaml");

/** As Grafana does: everything selected, and a window that contains the traffic. */
const filledIn = (expr: string, seconds: number): string =>
  expr.replaceAll("$__rate_interval", `${seconds}s`).replaceAll(/"\$\w+"/g, '".*"');

/** A store's answers for one point in time. */
type Ask = (expr: string) => Promise<readonly Sample[]>;

/** NaN, such as a quantile of nothing, is shown by Grafana as a gap. */
const asked =
  ({ store }: StagedStore, time: number): Ask =>
  async (expr) => {
    const samples = await store.query(expr, time);
    return samples.filter((sample) => !Number.isNaN(numberOf(sample)));
  };

async function panelsOf(subject: Subject, ask: Ask, known: Known): Promise<string[]> {
  const table = TABLES[subject.uid]!(known);
  const panels = subject.rows.flatMap((row) => row.panels);
  assert.deepEqual(panels.map(({ title }) => title).toSorted(), Object.keys(table).toSorted());
  const wrong: string[] = [];
  for (const { title, targets } of panels) {
    assert.equal(targets.length, table[title]!.length, `${title}: an expectation for each expression`);
    for (const [i, { expr }] of targets.entries()) {
      const found = complaints(await ask(filledIn(expr, known.seconds)), table[title]![i]!);
      if (found.length > 0) wrong.push(`${subject.title}: ${title}: ${expr}\n  ${found.join("\n  ")}`);
    }
  }
  return wrong;
}

async function variables(subject: Subject, ask: Ask): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name, selector, label } of variablesOf(subject)) {
    const samples = await ask(filledIn(`group by (${label}) (${selector})`, 0));
    const values = samples.flatMap(({ metric }) => metric[label] ?? []);
    // The test's programs have no service.namespace.
    if (values.length > 0 === (name === "namespace")) wrong.push(`${subject.title}: $${name}: ${values}`);
  }
  return wrong;
}

async function rules(staged: StagedStore, ask: Ask, known: Known, time: number): Promise<string[]> {
  const wrong: string[] = [];
  const recordings = recordingsExpected(known);
  assert.deepEqual(
    Object.keys(recordings),
    RECORDINGS.map(({ record }) => record),
  );
  for (const { record, expr } of RECORDINGS) {
    const samples = await ask(expr);
    const found = complaints(samples, recordings[record]!);
    if (found.length > 0) wrong.push(`${record}: ${expr}\n  ${found.join("\n  ")}`);
    // Prometheus evaluates recording rules itself.
    if (staged.kind === "victoria") await staged.store.add(record, samples, time);
  }
  const alerts = alertsExpected(known);
  assert.deepEqual(
    Object.keys(alerts),
    ALERTS.map(({ alert }) => alert),
  );
  for (const { alert, expr } of ALERTS) {
    const expected = alerts[alert]!;
    const samples = await ask(expr);
    const found =
      expected === "quiet" ? samples.map((each) => JSON.stringify(each)) : complaints(samples, expected);
    if (found.length > 0) wrong.push(`${alert}: ${expr}\n  ${found.join("\n  ")}`);
  }
  return wrong;
}

describe("dashboards and rules", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "prometheus", "victoria");
  });

  it("show what programs and the kernel have counted, in Prometheus and VictoriaMetrics, with either kind of histogram", async () => {
    await using stage = await stageDashboards(RULES);
    const { known, time } = stage;
    const wrong: string[] = [];
    for (const staged of stage.stores) {
      const ask = asked(staged, time);
      const found: string[] = [];
      for (const subject of SUBJECTS) {
        found.push(...(await panelsOf(subject, ask, known)), ...(await variables(subject, ask)));
      }
      found.push(...(await rules(staged, ask, known, time)));
      wrong.push(...found.map((each) => `${staged.kind}, ${staged.histograms} histograms: ${each}`));
    }
    assert.equal(wrong.join("\n\n"), "");
  });
});
