// Kinds of processes, and their names: the table of docs/identity.md, which tools/docgen.ts generates from this, and
// what the tests that run them assert.
import assert from "node:assert/strict";
import type { Resource } from "../../core/plugin/signals.ts";

export interface Kind {
  readonly what: string;
  /** The expected service.name. */
  readonly name: string;
  /** The owner of the connection. */
  readonly owner: string;
  readonly instance: "container.id" | "UUID" | "its own";
  /** The file of the test that runs it. */
  readonly test: "kinds" | "ownership";
}

const opener = "the process that connects";

export const KINDS = {
  said: {
    what: "sets OTEL_SERVICE_NAME=cart",
    name: "cart",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  attributes: {
    what: "sets service.name=cart and service.instance.id=one in OTEL_RESOURCE_ATTRIBUTES",
    name: "cart",
    owner: opener,
    instance: "its own",
    test: "kinds",
  },
  mapping: {
    what: "matched by `argument=--api -> shop/api` in identity.names, which overrides its own service.name",
    name: "api",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  unit: { what: "systemd unit web.service", name: "web", owner: opener, instance: "UUID", test: "kinds" },
  template: {
    what: "instance pg@15-main.service of a template",
    name: "pg@15-main",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  perConnection: {
    what: "service of a socket with Accept=yes, ssh@7-10.0.0.1:22-10.0.0.2:4711.service",
    name: "ssh",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  session: {
    what: "script in a login session, session-7.scope",
    name: "client.py",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  container: {
    what: "in a container, cgroup v2",
    name: "client.py",
    owner: opener,
    instance: "container.id",
    test: "kinds",
  },
  containerV1: {
    what: "in a container, cgroup v1",
    name: "client.py",
    owner: opener,
    instance: "container.id",
    test: "kinds",
  },
  hybrid: {
    what: "in a container that only cgroup v1 shows; in v2 it is in containerd.service",
    name: "client.py",
    owner: opener,
    instance: "container.id",
    test: "kinds",
  },
  pod: {
    what: "in a pod, by its cgroup below kubepods",
    name: "client.py",
    owner: opener,
    instance: "container.id",
    test: "kinds",
  },
  podWorkload: {
    what: "in a pod, sets k8s.deployment.name=cart (downward API)",
    name: "cart",
    owner: opener,
    instance: "container.id",
    test: "kinds",
  },
  python: {
    what: "interpreter: python3 -u client.py",
    name: "client.py",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  module: {
    what: "interpreter: python3 -m client",
    name: "client",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  shell: {
    what: "interpreter: bash -e client.sh",
    name: "client.sh",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  multiCall: {
    what: "multi-call executable: redis-check-rdb, started through the link redis-server",
    name: "redis-server",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  versioned: {
    what: "executable tool-1.2.3",
    name: "tool",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  threadGone: {
    what: "sets OTEL_SERVICE_NAME=cart, its first thread has ended",
    name: "cart",
    owner: "the process, whichever thread connects",
    instance: "UUID",
    test: "kinds",
  },
  pidNamespace: {
    what: "sets OTEL_SERVICE_NAME=cart, in its own pid namespace",
    name: "cart",
    owner: "the process that connects, by its pid on the host",
    instance: "UUID",
    test: "kinds",
  },
  cgroupNamespace: {
    what: "systemd unit web.service, in its own cgroup namespace",
    name: "web",
    owner: opener,
    instance: "UUID",
    test: "kinds",
  },
  forking: {
    what: "server that forks for each connection (PostgreSQL)",
    name: "psrv",
    owner: "the child; the parent that accepted is wirespan.process.acceptor",
    instance: "UUID",
    test: "ownership",
  },
  prefork: {
    what: "prefork server",
    name: "psrv",
    owner: "the worker that accepts",
    instance: "UUID",
    test: "ownership",
  },
  preforkClose: {
    what: "prefork server; the client, a probe, sends nothing",
    name: "psrv",
    owner: "the worker that accepts and closes",
    instance: "UUID",
    test: "ownership",
  },
  activated: {
    what: "socket activation: a supervisor listens",
    name: "pexec",
    owner: "the service that accepts",
    instance: "UUID",
    test: "ownership",
  },
  passed: {
    what: "descriptor passed to another process",
    name: "psrv",
    owner: "the process that sends or receives first",
    instance: "UUID",
    test: "ownership",
  },
} as const satisfies Record<string, Kind>;

const uuid5 = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Asserts that a process of this kind has the name and the instance in the table. */
export function assertKind(kind: keyof typeof KINDS, { attributes }: Pick<Resource, "attributes">): void {
  const { name, instance } = KINDS[kind];
  const id = String(attributes["service.instance.id"]);
  const found = id === attributes["container.id"] ? "container.id" : uuid5.test(id) ? "UUID" : "its own";
  assert.deepEqual({ name: attributes["service.name"], instance: found }, { name, instance }, kind);
}
