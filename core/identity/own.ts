// What a process says about itself in its environment, and what its SDK publishes, as far as it may be exported.

import { cut } from "../base/text.ts";
import type { Environment } from "./environment.ts";
import { hasControl } from "./plain.ts";
import { longestAttributes, mostAttributes, parseResourceAttributes } from "./resource-attributes.ts";

export interface Own {
  readonly name: string | undefined;
  /** service.* and other attributes that a process may set. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Why something was ignored; contains no key and no value. */
  readonly faults: readonly string[];
}

/** Maximum bytes of a name. */
const longestName = 256;

/** Facts that the agent finds itself; for `k8s.` of a process in a pod see below. */
const facts = /^((host|container|cloud|os|process|telemetry|wirespan)\.|ip$)/;
const ofNode = /^k8s\.(pod\.uid$|node\.|cluster\.)/;

/** What a service without a name is called according to Kubernetes' conventions: the first one that exists. */
const workloads = [
  "deployment",
  "statefulset",
  "daemonset",
  "cronjob",
  "job",
  "replicaset",
  "pod",
  "container",
];

/** Sources of what a process says about itself. */
export interface Said {
  readonly environment?: Environment | undefined;
  /** What its SDK publishes. */
  readonly published?: readonly (readonly [key: string, value: string])[] | undefined;
}

/**
 * What a process may set: everything but facts about host, container, cloud, system, process and telemetry. A process
 * in a pod sets its pod's workload and namespace (as the downward API does), never the pod's uid, its node or cluster.
 */
export function ownOf({ environment, published = [] }: Said, isInPod: boolean): Own {
  const faults: string[] = [];
  const { attributes, fault } = parseResourceAttributes(environment?.resourceAttributes ?? "");
  if (fault !== undefined) faults.push(`OTEL_RESOURCE_ATTRIBUTES ignored: ${fault}`);
  const said = given(environment?.serviceName);
  const isClean = said === undefined || !hasControl(said);
  if (!isClean) faults.push("OTEL_SERVICE_NAME ignored: it has a control character or is not UTF-8");
  const unfit = unfitness(published);
  if (unfit !== undefined) faults.push(`the resource that it publishes is ignored: ${unfit}`);
  const { "service.name": publishedName, ...others } = Object.fromEntries(unfit ? [] : published);
  const { "service.name": inAttributes, ...more } = attributes;
  // The SDK has read the environment, and what the program sets takes precedence.
  const rest = { ...more, ...others };
  const kept = Object.entries(rest).filter(
    ([key]) => !facts.test(key) && (!key.startsWith("k8s.") || (isInPod && !ofNode.test(key))),
  );
  const own = Object.fromEntries(
    kept.map(([key, value]) => [cut(key, longestName), cut(value, longestName)]),
  );
  const name = named(publishedName) ?? (isClean ? said : undefined) ?? given(inAttributes) ?? workloadOf(own);
  return { name: name && cut(name, longestName), attributes: own, faults };
}

/** Why a resource is ignored: the same rules as for one in the environment. */
function unfitness(resource: readonly (readonly [string, string])[]): string | undefined {
  if (resource.length > mostAttributes) return `it has more than ${mostAttributes} attributes`;
  const bytes = resource.flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > longestAttributes) return `it is longer than ${longestAttributes} bytes`;
  return resource.flat().some(hasControl) ? "it has a control character or is not UTF-8" : undefined;
}

/** SDKs use this if no name was given. */
function named(name: string | undefined): string | undefined {
  return name?.startsWith("unknown_service") ? undefined : given(name);
}

/** The name of a service according to Kubernetes' conventions. */
export function workloadOf(own: Readonly<Record<string, string>>): string | undefined {
  return workloads.map((kind) => given(own[`k8s.${kind}.name`])).find((name) => name !== undefined);
}

/** OpenTelemetry treats an empty variable as not set. */
export function given(value: string | undefined): string | undefined {
  return value?.trim() ? value : undefined;
}
