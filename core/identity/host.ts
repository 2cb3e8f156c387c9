// The host, described as OpenTelemetry's SDKs do: backends compare host.id of our spans with that of the applications'.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, hostname, networkInterfaces, release } from "node:os";
import { join } from "node:path";
import type { AttributeValue, Resource } from "../plugin/signals.ts";
import { instanceId } from "./instance.ts";

/** Attributes of the host in the Resource of every workload on it. */
export type HostAttributes = Readonly<Record<string, AttributeValue>>;

/**
 * host.id (the machine id; absent if there is none) and host.name. `root` is where the host's file system is mounted,
 * `/host` in many containers.
 */
export function hostAttributes(root = "/"): HostAttributes {
  const id = machineId(root);
  return { ...(id !== undefined && { "host.id": id }), "host.name": hostname() };
}

/**
 * The host's address in the resource attribute `ip`, as in Jaeger's own clients: the first one that is not a loopback
 * address, IPv4 before IPv6. Jaeger compares it, and considers a child that ends after its parent a sign of clock skew
 * unless both have the same.
 */
export function hostAddress(interfaces = networkInterfaces()): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return (outer.find(({ family }) => family === "IPv4") ?? outer[0])?.address ?? "127.0.0.1";
}

/** The attributes that apply to every workload of the host: `service.` belongs to the agent only. */
export function ofHost(attributes: HostAttributes): HostAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => !key.startsWith("service.")));
}

/** Distinguishes a host from others: its id, or else its name. */
export function hostIdOf(host: HostAttributes): string {
  return String(host["host.id"] ?? host["host.name"] ?? "");
}

/**
 * The host as an entity with telemetry of its own: softirqs and interfaces belong to no workload. It is an instance of
 * the agent's service, as a host is of its exporter, and stays the same when the agent restarts.
 */
export function hostResource(host: HostAttributes, service: string): Resource {
  const id = instanceId(hostIdOf(host), "host");
  return { attributes: { ...host, "service.name": service, "service.instance.id": id } };
}

export interface AgentFacts {
  readonly version: string;
  readonly name: string;
  /** Configured attributes of the agent only and of the whole host; they take precedence over detected ones. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** The agent's own Resource, for its internal telemetry; service.instance.id is new with each call. */
export function agentResource(host: HostAttributes, { version, name, attributes }: AgentFacts): Resource {
  return {
    attributes: {
      ...host,
      "host.arch": arch() === "x64" ? "amd64" : arch(),
      "os.type": "linux",
      // As reported by the SDKs' detectors: the kernel's release.
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
      // Absent or unreadable: try the next one.
    }
  }
  return undefined;
}
