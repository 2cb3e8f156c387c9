// Fills the generated parts of the READMEs from what plugins declare: everything between
// `<!-- generated: NAME -->` and `<!-- /generated -->`. With --check: fails on a difference, writes nothing.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { SELF } from "../agent/internal-telemetry.ts";
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
    ["attribute", "type", "requirement", "what it says"],
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

/** What a plugin adds to the core's connection spans. */
function asked({ spans = {} }: Plugin): string {
  return Object.entries(spans)
    .map(([key, addition]) => {
      const name = `\`${SPANS[key as SpanKey].name}\` ([span of the core](../../docs/signals.md))`;
      return addition === "plain" ? `**${name}**` : `**${name}**, with\n\n${attributes(addition)}`;
    })
    .join("\n\n");
}

/** The settings that a plugin has beside its own. */
function common({ name, filters }: Plugin): string {
  const prefix = `plugins.${name}`;
  if (!filters) return `\`${prefix}.enabled\`, \`.filter\` and \`.ring.bytes\` are every plugin's.`;
  const filter = filters.length
    ? `; of \`.filter\` it takes ${filters.map((key) => `\`${key}\``).join(", ")}`
    : "; it takes no `.filter`";
  return `\`${prefix}.enabled\` and \`.ring.bytes\` are every plugin's${filter}.`;
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
    p.lostWithout ?? "the plugin can't run",
  ]);
  return table(["watched", "by", "without it"], rows);
}

function trace({ name, trace: view }: Plugin): string {
  const rows = view.options.map((o) => [`\`${o.flags}\``, o.doc]);
  return (
    `\`wirespan trace ${name} [options] ${view.arguments ?? ""}\``.replace(" `", "`") +
    `\n\n${table(["option", "what it does"], rows)}`
  );
}

function parts(plugin: Plugin): Record<string, () => string> {
  return {
    signals: () => [asked(plugin), signals(plugin.signals)].filter(Boolean).join("\n\n"),
    settings: () => settings(plugin),
    hooks: () => hooks(plugin),
    trace: () => trace(plugin),
  };
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
    self: () => signals(SELF),
  };
}

function kinds(): string {
  const instances = {
    "container.id": "container.id",
    UUID: "UUID of host, cgroup and program",
    "as it says": "what it says",
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
  if (!existsSync(path)) return true;
  const before = readFileSync(path, "utf8");
  const after = before.replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- \/generated -->)/g,
    (_, open: string, name: string, close: string) => {
      const part = of[name];
      if (!part) throw new Error(`${relative(root, path)}: nothing is generated under the name ${name}`);
      return `${open}\n${part()}\n\n${close}`;
    },
  );
  if (after === before) return true;
  if (check) console.error(`${relative(root, path)} is not what the plugins declare; run npm run gen`);
  else writeFileSync(path, after);
  return !check;
}

const plugins = await Promise.all(installedPlugins().map((name) => importPlugin(name)));
const fresh = [
  ...plugins.map((plugin) => fill(join(PLUGINS, plugin.name, "README.md"), parts(plugin))),
  fill(join(root, "README.md"), overview(plugins, "")),
  fill(join(root, "docs/signals.md"), overview(plugins, "../")),
  fill(join(root, "docs/identity.md"), { kinds }),
];
process.exitCode = fresh.every(Boolean) ? 0 : 1;
