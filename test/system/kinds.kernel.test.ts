// Runs each kind of process and checks the name, the owner and the instance against docs/identity.md.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { cgroup2Mount } from "../../core/identity/cgroup-paths.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../support/engine.ts";
import { assertKind, type KINDS } from "../support/kinds.ts";
import { Netns, needsRoot, output } from "../support/netns.ts";
import { skip } from "../support/skip.ts";

const sources = join(import.meta.dirname, "../kinds");
/** A container's id; each kind has its own. */
const id = (digit: string): string =>
  `${digit}2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f6071`;
const uid = "2c48913c-b29f-11e7-9350-020968147796";

interface Run {
  readonly words: readonly string[];
  /** A cgroup below the test's own, in cgroup v2 and in v1's `name=systemd`. */
  readonly v2?: string;
  readonly v1?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Where cgroup v1 is mounted only for systemd, as on hybrid hosts. */
function systemdMount(): string | undefined {
  const lines = readFileSync("/proc/mounts", "utf8").split("\n");
  return lines
    .map((line) => line.split(" "))
    .find((m) => m[2] === "cgroup" && m[3]?.includes("name=systemd"))?.[1];
}

describe("kinds of processes", () => {
  const own = `wirespan-kinds-${process.pid}.slice`;
  let folder = "";
  let port = "";
  let netns: Netns;
  let watched: Watch;
  let server: ChildProcess;

  before(async function () {
    needsRoot(this);
    folder = mkdtempSync(join(tmpdir(), "wirespan-kinds-"));
    await output("cc", ["-O1", "-pthread", "-o", join(folder, "client"), join(sources, "client.c")]);
    for (const name of ["tool-1.2.3", "redis-check-rdb"])
      copyFileSync(join(folder, "client"), join(folder, name));
    symlinkSync(join(folder, "redis-check-rdb"), join(folder, "redis-server"));
    netns = await Netns.create();
    server = netns.spawn("python3", ["-B", join(sources, "server.py")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    [port] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
    watched = await watch(["tcplife"], {
      "filter.include.netns": String(inodeOf(netns)),
      "filter.include.direction": "outbound",
      "identity.names": "argument=--api -> shop/api",
    });
    await watched.collect();
  });

  after(async () => {
    await watched?.[Symbol.asyncDispose]();
    await netns?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a process until it ends; returns its connection's span, and the process itself. */
  async function span({ words, v1, v2, env = {} }: Run): Promise<{ span: Kept; pid: number }> {
    const mounts = [v2 !== undefined && [cgroup2Mount(), v2], v1 !== undefined && [systemdMount(), v1]];
    const folders = mounts
      .filter((one) => one !== false)
      .map(([mount, path]) => [mount!, own, path!] as const);
    for (const [mount, top, path] of folders) mkdirSync(join(mount, top, path), { recursive: true });
    const enter = folders.map((parts) => `echo 0 >'${join(...parts)}/cgroup.procs' && `).join("");
    const before = watched.spans.length;
    try {
      const child = netns.spawn("sh", ["-c", `${enter} exec "$@"`, "sh", ...words], {
        env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: "1", ...env },
        stdio: ["ignore", "ignore", "inherit"],
      });
      const ended = once(child, "exit");
      await watched.until("a span", () => watched.spans.length > before);
      assert.deepEqual(await ended, [0, null]);
      return { span: watched.spans[before]!, pid: child.pid! };
    } finally {
      for (const parts of folders) await removed(parts);
    }
  }

  /** Removes the cgroups that were made for a process that has ended. */
  async function removed([mount, top, path]: readonly [string, string, string]): Promise<void> {
    for (let at = path; at !== "."; at = join(at, "..")) {
      for (let tries = 0; ; tries++) {
        try {
          rmdirSync(join(mount, top, at));
          break;
        } catch (error) {
          if (tries === 100) throw error;
          await delay(10);
        }
      }
    }
    rmdirSync(join(mount, top));
  }

  const python = () => ["python3", join(sources, "client.py"), port];
  const program = (name = "client") => [join(folder, name), port];
  const said = { OTEL_SERVICE_NAME: "cart" };

  const table: Readonly<Partial<Record<keyof typeof KINDS, () => Run>>> = {
    said: () => ({ words: program(), env: said }),
    attributes: () => ({
      words: program(),
      env: { OTEL_RESOURCE_ATTRIBUTES: "service.name=cart,service.instance.id=one" },
    }),
    mapping: () => ({ words: [...program(), "--api"], env: said }),
    unit: () => ({ words: program(), v2: "web.service" }),
    template: () => ({ words: program(), v2: "pg@15-main.service" }),
    perConnection: () => ({ words: program(), v2: "ssh@7-10.0.0.1:22-10.0.0.2:4711.service" }),
    session: () => ({ words: python(), v2: "session-7.scope" }),
    container: () => ({ words: python(), v2: `docker-${id("a")}.scope` }),
    containerV1: () => ({ words: python(), v1: `docker/${id("b")}` }),
    hybrid: () => ({ words: python(), v1: id("c"), v2: "containerd.service" }),
    pod: () => ({ words: python(), v2: `kubepods/burstable/pod${uid}/${id("d")}` }),
    podWorkload: () => ({
      words: python(),
      v2: `kubepods/burstable/pod${uid}/${id("e")}`,
      env: { OTEL_RESOURCE_ATTRIBUTES: "k8s.deployment.name=cart,k8s.pod.name=cart-1" },
    }),
    python: () => ({ words: ["python3", "-u", ...python().slice(1)] }),
    module: () => ({ words: ["python3", "-m", "client", port], env: { PYTHONPATH: sources } }),
    shell: () => ({ words: ["bash", "-e", join(sources, "client.sh"), port] }),
    multiCall: () => ({ words: program("redis-server") }),
    versioned: () => ({ words: program("tool-1.2.3") }),
    threadGone: () => ({ words: [...program(), "gone"], env: said }),
    pidNamespace: () => ({ words: ["unshare", "--pid", "--fork", ...program()], env: said }),
    cgroupNamespace: () => ({ words: ["unshare", "--cgroup", ...program()], v2: "web.service" }),
  };
  for (const [kind, run] of Object.entries(table)) {
    it(kind, async function () {
      const what = run();
      if (what.v2 !== undefined && cgroup2Mount() === undefined) skip(this, "no cgroup v2 is mounted");
      if (what.v1 !== undefined && systemdMount() === undefined) skip(this, "no cgroup v1 is mounted");
      const { span: reported, pid } = await span(what);
      assertKind(kind as keyof typeof KINDS, reported.resource);
      if (kind !== "pidNamespace") assert.equal(reported.attributes["process.pid"], pid);
      const container = /[0-9a-f]{64}/.exec(`${what.v1} ${what.v2}`)?.[0];
      assert.equal(reported.resource.attributes["container.id"], container);
      const sums = (await watched.collect()).filter(({ spec }) => spec.name === "wirespan.tcp.io");
      assert.ok(
        sums.some(({ resource }) => resource === reported.resource),
        "its sums are of the same resource",
      );
    });
  }
});
