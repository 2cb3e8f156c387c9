// The host, named as OpenTelemetry's SDKs name it: backends compare host.id of our spans and the apps'.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, hostname, networkInterfaces, release } from "node:os";
import { join } from "node:path";
import type { AttributeValue, Resource } from "../plugin/signals.ts";
import { instanceId } from "./instance.ts";

/** Attributes that the host gives to the Resource of every workload on it. */
export type HostAttributes = Readonly<Record<string, AttributeValue>>;

/**
 * host.id (the machine id; absent where there is none) and host.name. `root` is where the host's file
 * system is seen, `/host` in many a container.
 */
export function hostAttributes(root = "/"): HostAttributes {
  const id = machineId(root);
  return { ...(id !== undefined && { "host.id": id }), "host.name": hostname() };
}

/**
 * The host's address as Jaeger's own clients gave it, in the resource attribute `ip`: the first that is not loopback's,
 * IPv4 before IPv6. Jaeger compares it, and takes a child that ends after its parent for a sign of skewed clocks
 * unless both have the same.
 */
export function hostAddress(interfaces = networkInterfaces()): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return (outer.find(({ family }) => family === "IPv4") ?? outer[0])?.address ?? "127.0.0.1";
}

/** What of these attributes holds for every workload of the host: `service.` is the agent's alone. */
export function ofHost(attributes: HostAttributes): HostAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => !key.startsWith("service.")));
}

/** What tells a host from others: its id, else its name. */
export function hostIdOf(host: HostAttributes): string {
  return String(host["host.id"] ?? host["host.name"] ?? "");
}

/**
 * The host as a thing that has telemetry of its own: softirqs and interfaces belong to no workload. It is an instance
 * of the agent's service, as a host is of its exporter, and the same one whenever the agent starts.
 */
export function hostResource(host: HostAttributes, service: string): Resource {
  const id = instanceId(hostIdOf(host), "host");
  return { attributes: { ...host, "service.name": service, "service.instance.id": id } };
}

export interface AgentFacts {
  readonly version: string;
  readonly name: string;
  /** Attributes of the agent alone and of the whole host, by configuration; they win over what is found. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** The agent's own Resource, for its self-telemetry; service.instance.id is new with each call. */
export function agentResource(host: HostAttributes, { version, name, attributes }: AgentFacts): Resource {
  return {
    attributes: {
      ...host,
      "host.arch": arch() === "x64" ? "amd64" : arch(),
      "os.type": "linux",
      // What the SDKs' detectors give: the kernel's release.
      "os.version": release(),
      "service.version": version,
      "service.instance.id": randomUUID(),
      ...attributes,
      "service.name": name,
    },
  };
}

function machineId(root: string): string | undefined {
  for (const path of ["etc/machine-id", "var/lib/dbus/machine-id"]) {
    try {
      const id = readFileSync(join(root, path), "utf8").trim();
      if (id !== "") return id;
    } catch {
      // Absent or unreadable: the next one.
    }
  }
  return undefined;
}
