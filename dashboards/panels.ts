// What the dashboards have in common: variables, and how a panel is drawn. Panels are data, from which Grafana's own types generate JSON.

import * as common from "@grafana/grafana-foundation-sdk/common";
import {
  GraphDrawStyle,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingMode,
  TooltipDisplayMode,
} from "@grafana/grafana-foundation-sdk/common";
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { labelOf, nameOf, Queries } from "./promql.ts";

/** One expression of a panel. */
export interface Target {
  readonly expr: string;
  /** Attributes whose values name a series, preceded by `as` if there is more than one target. */
  readonly by: readonly string[];
  readonly as?: string;
}

export interface Panel {
  readonly title: string;
  /** What it shows, and what to do if it shows something. */
  readonly description: string;
  /** Grafana's name of a unit. */
  readonly unit: "short" | "s" | "percentunit" | "Bps" | "bytes" | "pps" | "cps" | "ops";
  readonly targets: readonly Target[];
  /** Events per interval are stacked bars; everything else is lines. */
  readonly bars?: true;
  /** Values from here on are a fault. */
  readonly limit?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A dashboard; `of`: whether its variables are those of services or of hosts. */
export interface Subject {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly of: "services" | "hosts";
  /** A metric that has every value of the variables. */
  readonly known: string;
  readonly rows: readonly Row[];
}

const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const WINDOW = "$__rate_interval";

/** A variable's name, and the attribute that it selects by. */
const VARIABLES = {
  services: [
    ["host", "host.name"],
    ["namespace", "service.namespace"],
    ["service", "service.name"],
    ["instance", "service.instance.id"],
  ],
  hosts: [["host", "host.name"]],
} as const;

const matcher = ([name, attribute]: readonly [string, string]) => `${labelOf(attribute)}=~"$${name}"`;

/** Expressions for what belongs to a service, and for what belongs to a host. */
export const services = new Queries(VARIABLES.services.map(matcher), WINDOW);
export const hosts = new Queries(VARIABLES.hosts.map(matcher), WINDOW);

/** Each variable's name, and the expression and label that its values come from. */
export function variablesOf({ of, known }: Subject): { name: string; selector: string; label: string }[] {
  return VARIABLES[of].map(([name, attribute], i) => {
    const before = VARIABLES[of].slice(0, i).map(matcher);
    const selector = nameOf(known) + (before.length > 0 ? `{${before.join(", ")}}` : "");
    return { name, selector, label: labelOf(attribute) };
  });
}

function draw({ title, description, unit, targets, bars, limit }: Panel): PanelBuilder {
  const panel = new PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .min(0)
    .height(8)
    .span(12)
    .tooltip(new common.VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(bars ? ["sum"] : ["lastNotNull", "max"]),
    )
    .targets(
      targets.map(({ expr, by, as }, i) =>
        new DataqueryBuilder()
          .refId(String.fromCharCode(65 + i))
          .expr(expr)
          .legendFormat([...(as ? [as] : []), ...by.map((name) => `{{${labelOf(name)}}}`)].join(" "))
          .range(),
      ),
    );
  if (bars) {
    panel
      .drawStyle(GraphDrawStyle.Bars)
      .fillOpacity(60)
      .stacking(new common.StackingConfigBuilder().mode(StackingMode.Normal).group("A"));
  } else panel.fillOpacity(10);
  if (limit !== undefined) {
    panel
      .thresholds(
        new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
          { value: null, color: "green" },
          { value: limit, color: "red" },
        ]),
      )
      .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  return panel;
}

/** The JSON that Grafana imports, as data. */
export function dashboard(subject: Subject): Dashboard {
  const { uid, title, description, rows } = subject;
  const built = new DashboardBuilder(`wirespan: ${title}`)
    .uid(uid)
    .description(description)
    .tags(["wirespan"])
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder("wirespan")
        .type(DashboardLinkType.Dashboards)
        .tags(["wirespan"])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"));
  for (const { name, selector, label } of variablesOf(subject)) {
    built.withVariable(
      new QueryVariableBuilder(name)
        .label(name[0]!.toUpperCase() + name.slice(1))
        .datasource(DATASOURCE)
        .query(`label_values(${selector}, ${label})`)
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .sort(VariableSort.AlphabeticalAsc)
        .multi(true)
        .includeAll(true)
        .allValue(".*")
        .current({ text: "All", value: "$__all" }),
    );
  }
  for (const row of rows) {
    built.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) built.withPanel(draw(panel));
  }
  return built.build();
}
