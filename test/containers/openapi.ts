// Validates manifests against the schema of a real API server (OpenAPI 3, /openapi/v3).
import { Ajv } from "ajv";
import type { Cluster, Manifest } from "./cluster.ts";

interface Schema {
  readonly properties?: object;
  readonly additionalProperties?: unknown;
  readonly "x-kubernetes-group-version-kind"?: readonly { readonly [key: string]: string }[];
}

/** Every violation of the kind's schema in a manifest, including unknown fields, with its path. */
export async function schemaFaults(cluster: Cluster, manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const [version, group = ""] = apiVersion.split("/").reverse();
  const { status, body } = await cluster.get(`/openapi/v3/${group ? "apis" : "api"}/${apiVersion}`);
  if (status !== 200) throw new Error(`${apiVersion}: no schema, status ${status}`);
  const schemas = Object.entries(body.components.schemas as Record<string, Schema>);
  const isKind = (each: { readonly [key: string]: string }) =>
    each.group === group && each.version === version && each.kind === kind;
  const found = schemas.find(([, schema]) => schema["x-kubernetes-group-version-kind"]?.some(isKind));
  if (!found) throw new Error(`${apiVersion}: no kind ${kind}`);
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false });
  // Unknown fields are errors, which the schema itself does not state.
  const closed = schemas.map(([name, schema]) => [
    name,
    schema.properties && !schema.additionalProperties ? { ...schema, additionalProperties: false } : schema,
  ]);
  ajv.addSchema({ $id: "api", components: { schemas: Object.fromEntries(closed) } });
  const validate = ajv.compile({ $ref: `api#/components/schemas/${found[0]}` });
  validate(manifest);
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const unknown = params.additionalProperty as string | undefined;
    return `${instancePath} ${message}${unknown === undefined ? "" : `: ${unknown}`}`;
  });
}
