// Writes each plugin's SIGNALS.md from its declarations, and fills in the generated parts of other documents: everything
// between `<!-- generated: NAME -->` and `<!-- /generated -->`. With --check: fails on a difference, writes nothing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { FINDING } from "../agent/finding-event.ts";
import { INTERNAL_TELEMETRY } from "../agent/internal-telemetry.ts";
import { readerOf } from "../config/formats.ts";
import { importPlugin, installedPlugins, PLUGINS } from "../core/engine/discover.ts";
import { SPANS, type SpanKey, spansWith } from "../core/plugin/connection.ts";
import type { Plugin, Probe } from "../core/plugin/plugin.ts";
import type { AttributeSpecs, SignalSpec, Signals } from "../core/plugin/signals.ts";
import { KINDS } from "../test/support/kinds.ts";

const root = join(import.meta.dirname, "..");

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

function heading(signal: SignalSpec): string {
  if (signal.signal === "metric") return `\`${signal.name}\` (${signal.instrument}, \`${signal.unit}\`)`;
  if (signal.signal === "event") return `\`${signal.name}\` (event, ${signal.severity})`;
  return `\`${signal.name}\` (span)`;
}

function attributes(specs: AttributeSpecs): string {
  return table(
    ["attribute", "type", "requirement", "description"],
    Object.entries(specs).map(([name, a]) => [
      `\`${name}\``,
      a.enum ? a.enum.map((e) => `\`${e}\``).join(", ") : a.type,
      a.requirement.replace("_", "-"),
      a.description,
    ]),
  );
}

function signals(declared: Signals): string {
  return Object.values(declared)
    .map((s) => `**${heading(s)}** ${s.description}\n\n${attributes(s.attributes)}`)
    .join("\n\n");
}

/** What a plugin adds to the spans of connections. */
function requested({ spans = {} }: Plugin): string {
  return Object.entries(spans)
    .map(([key, added]) => {
      const name = `\`${SPANS[key as SpanKey].name}\` ([span](../../docs/signals.md))`;
      return added === "plain" ? `**${name}**` : `**${name}**, with\n\n${attributes(added)}`;
    })
    .join("\n\n");
}

/** The settings that a plugin has in addition to its own. */
function common({ name, filters }: Plugin): string {
  const prefix = `plugins.${name}`;
  if (!filters) return `\`${prefix}.enabled\`, \`.filter\` and \`.ring.bytes\` are common to all plugins.`;
  const filter = filters.length
    ? `; of \`.filter\` it takes ${filters.map((key) => `\`${key}\``).join(", ")}`
    : "; it takes no `.filter`";
  return `\`${prefix}.enabled\` and \`.ring.bytes\` are common to all plugins${filter}.`;
}

function settings(plugin: Plugin): string {
  const rows = Object.entries(plugin.config).map(([name, s]) => [
    `\`plugins.${plugin.name}.${name}\``,
    typeof s.format === "string" ? s.format : s.format.join(", "),
    `\`${readerOf(s.format).show(s.default) || "none"}\``,
    s.doc,
  ]);
  if (rows.length === 0) return `None of its own; ${common(plugin)}`;
  return `${table(["setting", "takes", "default", "what it does"], rows)}\n\n${common(plugin)}`;
}

function hooks({ skeleton, probes }: Plugin): string {
  const places = (probe: Probe) =>
    probe.programs
      .map((c) => (typeof c === "string" ? c : c.program))
      .map((name) => `\`${skeleton.programs[name]}\``)
      .join(", else ");
  const rows = Object.entries(probes).map(([thing, p]) => [
    thing,
    places(p),
    p.lostWithout ?? "the plugin cannot run",
  ]);
  return table(["observed", "hook", "lost without it"], rows);
}

function trace({ name, trace: view }: Plugin): string {
  const rows = view.options.map((o) => [`\`${o.flags}\``, o.doc]);
  return (
    `\`wirespan trace ${name} [options] ${view.arguments ?? ""}\``.replace(" `", "`") +
    `\n\n${table(["option", "what it does"], rows)}`
  );
}

/** The overflow series, if the plugin's metrics can have one. */
const OVERFLOW =
  "Any metric can have one more series with `otel.metric.overflow` = true and no other attribute but `network.io.direction`: it sums up everything without a series of its own (`metrics.maxSeries`, or no room in the kernel's tables).";

/** A plugin's SIGNALS.md. */
function reference(plugin: Plugin): string {
  const { name, signals: own } = plugin;
  const metrics = Object.values(own).some(({ signal }) => signal === "metric");
  const sections = {
    Signals: [requested(plugin), signals(own), metrics ? OVERFLOW : ""].filter(Boolean).join("\n\n"),
    Settings: settings(plugin),
    Hooks: hooks(plugin),
    Trace: trace(plugin),
  };
  const text = Object.entries(sections).map(([title, section]) => `## ${title}\n\n${section}\n`);
  return `<!-- Generated by npm run gen -->\n\n# Reference of [${name}](README.md)\n\n${text.join("\n")}`;
}

/** `base`: from the document's folder to the root. */
function overview(plugins: readonly Plugin[], base: string): Record<string, () => string> {
  const names = (p: Plugin) => [...new Set(Object.values(p.signals).map((s) => `\`${s.name}\``))].join(", ");
  return {
    plugins: () =>
      table(
        ["plugin", "what it reports", "its own signals"],
        plugins.map((p) => [`[${p.name}](${base}plugins/${p.name}/README.md)`, p.summary, names(p)]),
      ),
    connections: () => signals(spansWith(plugins.map((p) => p.spans ?? {}))),
    self: () => signals({ ...INTERNAL_TELEMETRY, ...FINDING }),
  };
}

function kinds(): string {
  const instances = {
    "container.id": "container.id",
    UUID: "UUID of host, cgroup and program",
    "its own": "the one it sets",
  } as const;
  const rows = Object.values(KINDS).map(({ what, name, owner, instance }) => [
    what,
    `\`${name}\``,
    owner,
    instances[instance],
  ]);
  return table(["process", "`service.name`", "owner of its connection", "`service.instance.id`"], rows);
}

const check = process.argv.includes("--check");

function fill(path: string, of: Record<string, () => string>): boolean {
  const before = readFileSync(path, "utf8");
  const after = before.replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- \/generated -->)/g,
    (_, open: string, name: string, close: string) => {
      const part = of[name];
      if (!part) throw new Error(`${relative(root, path)}: nothing is generated under the name ${name}`);
      return `${open}\n${part()}\n\n${close}`;
    },
  );
  return write(path, before, after);
}

function write(path: string, before: string, after: string): boolean {
  if (after === before) return true;
  if (check) console.error(`${relative(root, path)} is not what the plugins declare; run npm run gen`);
  else writeFileSync(path, after);
  return !check;
}

const plugins = await Promise.all(installedPlugins().map((name) => importPlugin(name)));
const fresh = [
  ...plugins.map((plugin) => {
    const path = join(PLUGINS, plugin.name, "SIGNALS.md");
    return write(path, existsSync(path) ? readFileSync(path, "utf8") : "", reference(plugin));
  }),
  fill(join(root, "README.md"), overview(plugins, "")),
  fill(join(root, "docs/signals.md"), overview(plugins, "../")),
  fill(join(root, "docs/identity.md"), { kinds }),
];
process.exitCode = fresh.every(Boolean) ? 0 : 1;
