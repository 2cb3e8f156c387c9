// The Python package and the Go module against the kernel program that reads their tables.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificates, hasOpenssl } from "../support/certificates.ts";
import { watchContexts } from "../support/contexts.ts";
import { size } from "../support/long.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";

const CLIENTS = 4;
const EACH = size(100, 250);
/** Connects that are refused. */
const REFUSED = 200;

interface Account {
  /** What each end sent, in order, by its local and remote port. */
  readonly meant: Readonly<Record<string, readonly string[]>>;
  /** Go's is null if there was none. */
  readonly refused: readonly string[] | null;
}

const correlate = join(import.meta.dirname, "../../correlate");

describe("labels from Python and Go", () => {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-correlate-"));
  const certificates = new Certificates(folder);

  before(function () {
    needsRoot(this);
    if (!hasOpenssl()) skip(this, "no openssl on this machine");
    certificates.authority("own");
  });

  after(() => rmSync(folder, { recursive: true }));

  const program = {
    python: () => ["python3", "-B", join(correlate, "python/tests/exchange.py")],
    go: () => {
      const out = join(folder, "exchange");
      const env = { ...process.env, CGO_ENABLED: "0" };
      execFileSync("go", ["build", "-o", out, "./internal/exchange"], { cwd: join(correlate, "go"), env });
      return [out];
    },
  };

  for (const [language, mode, tls] of [
    ["python", "http", false],
    ["python", "https", true],
    ["python", "asyncio", false],
    ["python", "asyncio", true],
    ["go", "http", false],
    ["go", "https", true],
    ["go", "h2", true],
  ] as const) {
    const title = `${CLIENTS * EACH} requests of ${language}, ${mode}${tls ? " over TLS" : ""}`;
    it(`${title}: labels of each end are found, and those of ${REFUSED} refused connects`, async function () {
      const interpreter = { python: "python3", go: "go" }[language];
      if (spawnSync(interpreter, [language === "go" ? "version" : "--version"]).status !== 0)
        skip(this, `no ${interpreter} on this machine`);
      await using netns = await Netns.create();
      await using w = await watchContexts(["tcpconnect"], {
        "filter.include.netns": String(statSync(netns.path).ino),
        "correlate.rate": "100000",
      });
      const words = [mode, CLIENTS, EACH, REFUSED].map(String);
      if (tls) words.push(certificates.path("own.pem"), certificates.path("own.key"));
      const said = await netns.run(...(program[language]() as [string]), ...words);
      const { meant, refused } = JSON.parse(said.trim().split("\n").at(-1)!) as Account;
      const found: Record<string, string[]> = {};
      for (const { direction, source, traceparent, localPort, peerPort } of w.contexts()) {
        if (direction === "received" || source !== "table" || !traceparent) continue;
        found[`${localPort}-${peerPort}`] ??= [];
        found[`${localPort}-${peerPort}`]!.push(traceparent);
      }
      // HTTP/2 streams are written in a different order from that in which they begin.
      const ordered = (ends: Account["meant"]) =>
        Object.fromEntries(Object.entries(ends).map(([k, v]) => [k, mode === "h2" ? v.toSorted() : v]));
      assert.equal(Object.values(meant).flat().length, 2 * CLIENTS * EACH);
      // Compared as text: describing the difference of long lists takes minutes.
      const wrong = Object.entries(ordered(meant)).filter(
        ([k, v]) => String(ordered(found)[k]) !== String(v),
      );
      assert.deepEqual(
        wrong.map(([ports, spans]) => `${ports}: ${found[ports]?.length} for ${spans.length}`),
        [],
      );
      assert.deepEqual(Object.keys(found).sort(), Object.keys(meant).sort());
      const failed = () =>
        w.seen.spans.filter((s) => s.error && s.attributes["wirespan.context.source"] === "table");
      await w.seen.until("refused connects", () => failed().length >= REFUSED);
      assert.deepEqual(
        failed().map(({ traceId, parentSpanId }) => `00-${traceId}-${parentSpanId}-01`),
        refused ?? [],
      );
    });
  }
});
