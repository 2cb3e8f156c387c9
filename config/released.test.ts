// The schemas of releases: what is reported for a file of an earlier release, and that the format only grows.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { importPlugins, installedPlugins } from "../core/engine/discover.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import { jsonSchema } from "./json-schema.ts";
import { loadConfig } from "./load.ts";

type Json = { readonly [key: string]: unknown };

const released = (version: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, `released/${version}.json`), "utf8")) as Json;

/** A section or setting, with references resolved. */
function resolved(schema: Json, root: Json): Json {
  if (typeof schema.$ref !== "string") return schema;
  return (root.$defs as Record<string, Json>)[schema.$ref.replace("#/$defs/", "")]!;
}

/** All settings outside `exporters`, and those of each type of exporter as `exporters.TYPE.NAME`. */
function settings(schema: Json, root = schema, path = ""): Map<string, Json> {
  const all = new Map<string, Json>();
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  for (const [key, value] of Object.entries((schema.properties ?? {}) as Record<string, Json>)) {
    const node = resolved(value, root);
    if (node.properties !== undefined) for (const one of settings(node, root, at(key))) all.set(...one);
    else if (key !== "exporters" || path !== "") all.set(at(key), node);
  }
  if (path === "") {
    const { additionalProperties } = (schema.properties as { readonly exporters: Json }).exporters;
    for (const exporter of (additionalProperties as { readonly oneOf: readonly Json[] }).oneOf) {
      const { type } = exporter.properties as { readonly type: { readonly const: string } };
      for (const one of settings(exporter, root, `exporters.${type.const}`)) all.set(...one);
    }
  }
  return all;
}

/** Whether everything that `old` allows is allowed by `now`. */
function covers(now: unknown, old: unknown): boolean {
  if (isDeepStrictEqual(now, old)) return true;
  const [a, b] = [now as Json, old as Json];
  const keys = new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
  return [...keys].every((key) => {
    if (key === "description" || isDeepStrictEqual(a[key], b[key])) return true;
    if (key === "enum" || key === "type") {
      const wider = [a[key]].flat();
      return [b[key]].flat().every((value) => wider.includes(value));
    }
    if (key === "anyOf") {
      const ways = (a[key] ?? []) as readonly Json[];
      return ((b[key] ?? []) as readonly Json[]).every((each) => ways.some((one) => covers(one, each)));
    }
    if (key === "minimum") return a[key] === undefined || (a[key] as number) <= (b[key] as number);
    if (key === "maximum") return a[key] === undefined || (a[key] as number) >= (b[key] as number);
    return key === "items" && covers(a[key], b[key]);
  });
}

/** What a file that is valid for `old` may contain and `now` rejects or interprets in another way. */
function broken(now: Json, old: Json): string[] {
  const today = settings(now);
  return [...settings(old)].flatMap(([path, before]) => {
    const setting = today.get(path);
    if (setting === undefined) return [`${path} is gone`];
    return covers(setting, before) ? [] : [`${path} is another`];
  });
}

describe("the configuration's format", () => {
  let plugins: readonly Plugin[] = [];
  let now: Json = {};
  let folder = "";
  before(async () => {
    ({ plugins } = await importPlugins(installedPlugins()));
    now = jsonSchema(plugins);
    folder = mkdtempSync(join(tmpdir(), "wirespan-released-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("still has everything that 0.2.0 had", () => {
    assert.ok(settings(released("0.2.0")).size > 400);
    assert.deepEqual(broken(now, released("0.2.0")), []);
  });

  it("counts as changed if a setting is gone, accepts less, or has another default", () => {
    type Edit = (setting: Record<string, unknown>) => void;
    const edited = (path: string, edit: Edit) => {
      const copy = structuredClone(released("0.2.0"));
      const keys = path.split(".");
      const name = keys.pop()!;
      const section = keys.reduce((node, key) => (node.properties as Record<string, Json>)[key]!, copy);
      const properties = section.properties as Record<string, Record<string, unknown>>;
      edit(properties[name]!);
      if (properties[name]?.gone) delete properties[name];
      return broken(copy, released("0.2.0"));
    };
    const any =
      (change: Json): Edit =>
      (setting) => {
        const [first, reference] = setting.anyOf as Json[];
        setting.anyOf = [{ ...first, ...change }, reference];
      };
    assert.deepEqual(
      edited("metrics.maxSeries", (one) => (one.gone = true)),
      ["metrics.maxSeries is gone"],
    );
    assert.deepEqual(
      edited("metrics.maxSeries", (one) => (one.default = 7)),
      ["metrics.maxSeries is another"],
    );
    assert.deepEqual(edited("metrics.maxSeries", any({ maximum: 5 })), ["metrics.maxSeries is another"]);
    assert.deepEqual(edited("spans.kind", any({ enum: ["internal"] })), ["spans.kind is another"]);
    assert.deepEqual(edited("metrics.maxSeries", any({ maximum: 2_000_000 })), []);
    assert.deepEqual(edited("spans.kind", any({ enum: ["internal", "client-server", "server"] })), []);
    assert.deepEqual(
      edited("spans.kind", (one) => (one.description = "Another text.")),
      [],
    );
  });

  /** The errors of a file with these settings. */
  function faultOf(given: ReadonlyMap<string, unknown>): string {
    const tree: Record<string, unknown> = {};
    for (const [path, value] of given) {
      const keys = path.split(".");
      const name = keys.pop()!;
      let section = tree;
      for (const key of keys) {
        section[key] ??= {};
        section = section[key] as Record<string, unknown>;
      }
      section[name] = value;
    }
    const file = join(folder, "wirespan.yaml");
    writeFileSync(file, JSON.stringify(tree));
    try {
      loadConfig({ file, env: {}, flags: [], plugins });
      return "";
    } catch (error) {
      if (!(error instanceof WirespanError)) throw error;
      return error.detail ?? "";
    }
  }

  it("reports each removed setting in a file of 0.1.0, and accepts the others unchanged", () => {
    const today = settings(now);
    const given = [...settings(released("0.1.0"))].flatMap(([path, { default: value }]) =>
      value === undefined || path.startsWith("exporters.") ? [] : [[path, value] as const],
    );
    const kept = new Map(given.filter(([path]) => today.has(path)));
    assert.ok(kept.size > 250, `${kept.size} settings`);
    assert.equal(faultOf(kept), "");
    const gone = given.filter(([path]) => !today.has(path));
    assert.equal(gone.length, 50);
    for (const one of gone) {
      const said = /^\S+:\d+: plugins\.(softirqs|netqtop)\.filter\S*: removed in 0\.2\.0: .*; delete it$/;
      assert.match(faultOf(new Map([one])), said);
    }
  });
});
