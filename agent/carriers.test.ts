// Which carrier works for which traffic, depending on what was attached and configured.
import assert from "node:assert/strict";
import { loadConfig } from "../config/load.ts";
import type { Hook } from "../core/bridge/loader.ts";
import { type CarrierFacts, carrierLines, carriersOf } from "./carriers.ts";

const why = "EPERM: the kernel refuses fentry (lockdown: integrity)";

/** As on Linux 6.1: `programs` are attached, for each kind of event. */
function hooks(programs: Readonly<Record<string, string | undefined>>): Hook[] {
  return Object.entries(programs).map(([observes, program]) =>
    program === undefined
      ? { observes, refused: [{ program: "p", at: "fentry/f", why }] }
      : { observes, program, at: "x", refused: [] },
  );
}

const all = {
  "contexts that are sent": "on_send",
  "contexts that are received": "on_segment",
  "contexts that are received with a handshake's last packet": "on_received",
  "handshakes that requests wait for": "on_opening",
};

function correlate(settings: Readonly<Record<string, string>> = {}) {
  const flags = Object.entries(settings).map(([path, value]) => ({ path, value, flag: path }));
  return loadConfig({ env: {}, flags, plugins: [] }).correlate;
}

const facts: CarrierFacts = {
  correlate: correlate(),
  hooks: hooks(all),
  arch: "x64",
  readsOthers: true,
  tlsLibraries: undefined,
};
const refused = (changes: Partial<typeof facts>) =>
  carriersOf({ ...facts, ...changes })
    .filter(({ works, carrier }) => !works && carrier !== "uprobe")
    .map((report) => `${report.carrier} ${report.traffic}: ${report.why}`);

describe("carriers of contexts", () => {
  it("all work if everything was attached, without any uprobes", () => {
    assert.deepEqual(refused({}), []);
    const lines = carrierLines(carriersOf(facts));
    assert.ok(lines.includes("  HTTP/1.1 without TLS, sent: by header"));
    assert.ok(
      lines.includes(
        "  HTTP/1.1 over TLS, sent, by programs that send within OpenSSL's SSL_write: not by uprobe: correlate.tlsUprobe is false",
      ),
    );
  });

  it("report which files with TLS's functions are traced, and why others are not", () => {
    const watched = { ...all, "requests that applications hand to OpenSSL": "on_tls_write" };
    const uprobe = (tlsLibraries: CarrierFacts["tlsLibraries"], programs: typeof all = watched) =>
      carriersOf({
        ...facts,
        correlate: correlate({ "correlate.tlsUprobe": "true" }),
        hooks: hooks(programs),
        tlsLibraries,
      })
        .filter(({ carrier }) => carrier === "uprobe")
        .map(({ works, why }) => [works, why]);
    const [path, refusal] = ["/usr/lib/libssl.so.3", "/opt/libssl.so.1.1: it cannot be opened"];
    assert.deepEqual(uprobe({ paths: [path], refusal: undefined, unexamined: 0 }), [[true, path]]);
    assert.deepEqual(uprobe({ paths: [path], refusal, unexamined: 0 }), [[true, `${path}, not ${refusal}`]]);
    assert.deepEqual(uprobe({ paths: [path], refusal: undefined, unexamined: 3 }), [
      [true, `${path}, 3 processes are not examined yet`],
    ]);
    assert.deepEqual(uprobe({ paths: [], refusal, unexamined: 0 }), [[false, refusal]]);
    assert.deepEqual(uprobe({ paths: [], refusal: undefined, unexamined: 0 }), [
      [false, "no running program maps OpenSSL yet"],
    ]);
    assert.deepEqual(uprobe({ paths: [], refusal: undefined, unexamined: 0 }, all), [
      [false, "nothing observes it"],
    ]);
  });

  it("report what refuses them", () => {
    const none = hooks({ ...all, "contexts that are sent": undefined });
    assert.deepEqual(refused({ hooks: none }), [
      `header HTTP/1.1 without TLS, sent: fentry/f: ${why}`,
      `header HTTP/2 and gRPC without TLS, sent: fentry/f: ${why}`,
      `table TLS, databases and everything else, by programs with a context table: fentry/f: ${why}`,
      `thread TLS, databases and everything else, by programs whose SDK publishes threads' contexts: fentry/f: ${why}`,
    ]);
    const old = hooks({ ...all, "contexts that are received": "on_received" });
    assert.deepEqual(refused({ hooks: old }), [
      "header HTTP/2 and gRPC without TLS, received: frames are followed in segments, which this kernel does not show",
    ]);
    assert.deepEqual(refused({ arch: "arm64" }), [
      "thread TLS, databases and everything else, by programs whose SDK publishes threads' contexts: threads are read only on x64, not on arm64",
      "thread attempts to connect, by programs whose SDK publishes threads' contexts: threads are read only on x64, not on arm64",
    ]);
  });

  it("name the setting that disables them", () => {
    for (const [path, value, count] of [
      ["correlate.http1", "false", 3],
      ["correlate.http2", "false", 2],
      ["correlate.table", "false", 2],
      ["correlate.threads", "false", 2],
      ["correlate.inbound", "never", 3],
    ] as const) {
      const lines = refused({ correlate: correlate({ [path]: value }) });
      assert.equal(lines.length, count, path);
      for (const line of lines) assert.match(line, new RegExp(`: ${path} is ${value}$`));
    }
  });

  it("report which users' threads are read without CAP_SYS_PTRACE", () => {
    const lines = carrierLines(carriersOf({ ...facts, readsOthers: false }));
    assert.equal(lines.filter((line) => line.endsWith("(others require CAP_SYS_PTRACE)")).length, 2);
  });
});
