import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import * as resources from "@opentelemetry/resources";
import { agentResource, hostAddress, hostAttributes } from "./host.ts";

describe("host", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "wirespan-host-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function file(path: string, text: string): void {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }

  it("uses the machine id as host.id, the system's before D-Bus's", () => {
    file("var/lib/dbus/machine-id", "dbus\n");
    assert.equal(hostAttributes(root)["host.id"], "dbus");
    file("etc/machine-id", "system\n");
    assert.equal(hostAttributes(root)["host.id"], "system");
  });

  it("has no host.id if both are missing or empty", () => {
    assert.deepEqual(hostAttributes(root), { "host.name": hostname() });
    file("etc/machine-id", "\n");
    assert.deepEqual(hostAttributes(root), { "host.name": hostname() });
  });

  it("uses the first address that others can reach, IPv4 before IPv6", () => {
    const all = (...addresses: readonly string[]) => ({
      eth0: addresses.map((address) => {
        const v4 = !address.includes(":");
        const rest = { netmask: "", mac: "", cidr: null, internal: /^(127|::1)/.test(address) };
        return v4
          ? { ...rest, address, family: "IPv4" as const }
          : { ...rest, address, family: "IPv6" as const, scopeid: 0 };
      }),
    });
    assert.equal(hostAddress(all("127.0.0.1", "fe80::1", "fd13::1", "10.0.0.7", "10.0.0.8")), "10.0.0.7");
    assert.equal(hostAddress(all("::1", "fe80::1", "fd13::1")), "fd13::1");
    assert.equal(hostAddress(all("127.0.0.1", "::1")), "127.0.0.1");
    assert.equal(hostAddress({}), "127.0.0.1");
  });

  it("is described as OpenTelemetry's own detectors describe it", async () => {
    const detected = {
      ...resources.hostDetector.detect().attributes,
      ...resources.osDetector.detect().attributes,
    };
    const ours = agentResource(hostAttributes(), { version: "0", name: "agent", attributes: {} }).attributes;
    for (const [key, value] of Object.entries(detected)) {
      // A machine without an id has none here, and an undefined or empty one there.
      assert.equal(ours[key], (await value) || undefined, key);
    }
    assert.deepEqual(Object.keys(detected).sort(), [
      "host.arch",
      "host.id",
      "host.name",
      "os.type",
      "os.version",
    ]);
  });

  it("has a Resource of its own for the agent, to which the configuration can add", () => {
    const host = { "host.name": "h" };
    const attributes = { "deployment.environment.name": "prod", "service.name": "the host's" };
    const one = agentResource(host, { version: "1.2.3", name: "probe", attributes });
    const two = agentResource(host, { version: "1.2.3", name: "probe", attributes });
    assert.equal(one.attributes["service.name"], "probe");
    assert.equal(one.attributes["service.version"], "1.2.3");
    assert.equal(one.attributes["deployment.environment.name"], "prod");
    assert.notEqual(one.attributes["service.instance.id"], two.attributes["service.instance.id"]);
    assert.ok(!Object.keys(one.attributes).some((key) => key.startsWith("telemetry.")));
  });
});
