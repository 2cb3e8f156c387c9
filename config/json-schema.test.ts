// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written so
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { importPlugins, installedPlugins } from "../core/engine/discover.ts";
import { jsonSchema } from "./json-schema.ts";

type Json = { readonly [key: string]: unknown };

/** The subset of JSON schema that ours uses; an unknown keyword is an error. */
class Validator {
  readonly #root: Json;

  constructor(root: Json) {
    this.#root = root;
  }

  allows(value: unknown, schema: Json = this.#root): boolean {
    return Object.entries(schema).every(([keyword, argument]) =>
      this.#keyword(keyword, argument, value, schema),
    );
  }

  #keyword(keyword: string, argument: unknown, value: unknown, schema: Json): boolean {
    const all = argument as readonly Json[];
    const object =
      typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
    switch (keyword) {
      case "type":
        return [argument].flat().some((type) => types[type as string]!(value));
      case "const":
        return value === argument;
      case "enum":
        return (argument as readonly unknown[]).includes(value);
      case "minimum":
        return typeof value !== "number" || value >= (argument as number);
      case "maximum":
        return typeof value !== "number" || value <= (argument as number);
      case "pattern":
        return typeof value !== "string" || new RegExp(argument as string).test(value);
      case "anyOf":
        return all.some((one) => this.allows(value, one));
      case "oneOf":
        return all.filter((one) => this.allows(value, one)).length === 1;
      case "items":
        return !Array.isArray(value) || value.every((item) => this.allows(item, argument as Json));
      case "required":
        return (argument as readonly string[]).every((key) => Object.hasOwn(object, key));
      case "propertyNames":
        return Object.keys(object).every((key) => this.allows(key, argument as Json));
      case "properties":
        return Object.entries(argument as Readonly<Record<string, Json>>).every(
          ([key, of]) => !Object.hasOwn(object, key) || this.allows(object[key], of),
        );
      case "additionalProperties": {
        const rest = Object.keys(object).filter(
          (key) => !Object.hasOwn((schema.properties ?? {}) as Json, key),
        );
        return rest.every((key) => argument !== false && this.allows(object[key], argument as Json));
      }
      case "$ref":
        return this.allows(
          value,
          (this.#root.$defs as Record<string, Json>)[(argument as string).replace("#/$defs/", "")],
        );
      case "$schema":
      case "$defs":
      case "title":
      case "description":
      case "default":
        return true;
      default:
        throw new Error(`the test does not know ${keyword}`);
    }
  }
}

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (v) => typeof v === "object" && v !== null && !Array.isArray(v),
  array: Array.isArray,
  string: (v) => typeof v === "string",
  number: (v) => typeof v === "number",
  integer: Number.isInteger,
  boolean: (v) => typeof v === "boolean",
  null: (v) => v === null,
};

describe("JSON schema of the configuration", () => {
  let schema: Json = {};
  before(async () => {
    schema = jsonSchema((await importPlugins(installedPlugins())).plugins);
  });
  const allows = (yaml: string): boolean => new Validator(schema).allows(parse(yaml));

  it("is committed as generated from the installed plugins", () => {
    const committed = readFileSync(join(import.meta.dirname, "wirespan.schema.json"), "utf8");
    const again = "run: node cli/main.ts config schema >config/wirespan.schema.json";
    assert.deepEqual(JSON.parse(committed), schema, again);
  });

  for (const name of readdirSync(join(import.meta.dirname, "examples"))) {
    it(`allows the example ${name}`, () => {
      assert(allows(readFileSync(join(import.meta.dirname, "examples", name), "utf8")));
    });
  }

  it("has defaults that it allows itself", () => {
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== "object" || node === null) return;
      const of = node as Json;
      if ("default" in of && "anyOf" in of) assert(new Validator(schema).allows(of.default, of), path);
      for (const [key, below] of Object.entries(of)) walk(below, `${path}/${key}`);
    };
    walk(schema, "");
  });

  it("allows each notation of a value", () => {
    assert(allows("filter: {include: {localPort: [22, 8000-8999]}, minDuration: 1.5ms}"));
    assert(allows("filter: {include: {localPort: 22, pid: 1}}"));
    assert(allows("ring: {bytes: 1MiB}\nself:\n"));
    assert(allows("sampling: {ratio: 0.1, slow: 2s}"));
    assert(allows("exporters: {a: {type: otlp_grpc, headers: {k: 'file:/k'}, timeout: '${env:T}'}}"));
  });

  it("allows no unknown key, wrong type or other type's setting", () => {
    assert(!allows("filtr: {}"));
    assert(!allows("plugins: {tcplive: {}}"));
    assert(!allows("metrics: {interval: 10}"));
    assert(!allows("version: 2"));
    assert(!allows("sampling: {ratio: 10}"));
    assert(!allows("exporters: {a: {type: console, endpoint: 'http://h:1'}}"));
    assert(!allows("exporters: {a: {endpoint: 'http://h:1'}}"));
    assert(!allows("exporters: {a.b: {type: console}}"));
  });
});
