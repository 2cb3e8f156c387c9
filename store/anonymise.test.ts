import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { ACCEPT, CONNECT, CONNECTION, outbound, RETRANSMIT, TestStore } from "../test/support/page.ts";
import { KEPT, Pseudonyms } from "./anonymise.ts";
import type { List, Topology } from "./answers.ts";
import { Database } from "./database.ts";
import { Api } from "./http/api.ts";
import { openRecording, record } from "./recording.ts";

const NOW = 1_800_000_000;

/** Texts that must not be in the file in any form. */
const SECRETS = [
  ...[
    "secret-shop",
    "secret-db",
    "secret-process",
    "secret-thread",
    "secret-netns",
    "secret-host",
    "secret-iface",
  ],
  ...["192.0.2.77", "198.51.100.9", "2001:db8::77", "10.0.9.9"],
];

function filled(): TestStore {
  const store = new TestStore({ now: () => NOW });
  store.db.setMeta("host", "secret-host");
  store.db.setMeta("about", JSON.stringify({ host: "secret-host", kernel: "6.18", started: NOW - 100 }));
  const attributes = (peer: string) =>
    outbound(1, {
      "network.peer.address": peer,
      "process.executable.name": "secret-process",
      "thread.name": "secret-thread",
      "wirespan.netns.name": "secret-netns",
      "wirespan.tcp.close.reason": "fin_local",
    });
  const spans = (declaration: typeof CONNECTION, service: string, peer: string, n: number) =>
    store.spans(
      declaration,
      Array.from({ length: n }, (_, i) => ({
        ...{ start: NOW - 10, duration: 0.001 * (i + 1), trace: i, service, attributes: attributes(peer) },
      })),
    );
  spans(CONNECTION, "secret-shop", "192.0.2.77", 40);
  spans(CONNECT, "secret-shop", "192.0.2.77", 40);
  spans(CONNECT, "secret-db", "2001:db8::77", 3);
  spans(ACCEPT, "secret-db", "198.51.100.9", 2);
  store.spans(RETRANSMIT, [
    {
      start: NOW - 9,
      duration: 0,
      trace: 1,
      error: "secret-shop to 192.0.2.77",
      attributes: attributes("192.0.2.77"),
    },
  ]);
  const series = JSON.stringify({
    "network.interface.name": "secret-iface",
    "network.io.direction": "transmit",
  });
  store.metrics(NOW - 5, "wirespan.netdev.queue.packets", "counter", { [series]: 7 }, "secret-host");
  const finding = {
    ...{ rule: "connects-fail", severity: "failing", subject: "secret-shop → 192.0.2.77:5432", count: 9 },
    ...{ text: "9 of 9 attempts secret-shop → 192.0.2.77:5432 failed", next: "Look at secret-db." },
    evidence: "/connections?q=service:secret-shop",
  };
  store.db.run("INSERT INTO finding (since, finding) VALUES (?, ?)", NOW - 8, JSON.stringify(finding));
  store.ingest.commit(NOW);
  return store;
}

describe("an anonymised recording", () => {
  const ask = async <T>(api: Api, path: string): Promise<T> => {
    const [name = "", query = ""] = path.split("?");
    return (await api.answer(name, new URLSearchParams(query))).body as T;
  };

  it("contains no name and no address, neither compressed nor in free pages", async () => {
    using store = filled();
    const file = join(store.folder, "anonymous.db");
    await record(store.file, file, 1800, { anonymise: true });
    const plain = join(store.folder, "plain.db");
    await record(store.file, plain, 1800);
    const texts = (of: string) => {
      const db = new Database(of, 0, true);
      const chunks = db
        .all("SELECT data FROM chunk")
        .map(({ data }) => zstdDecompressSync(data as Uint8Array));
      db.close();
      return Buffer.concat([readFileSync(of), ...chunks]).toString("latin1");
    };
    const found = (of: string) => SECRETS.filter((secret) => texts(of).includes(secret));
    assert.deepEqual(found(plain), SECRETS, "they are found if they are there");
    assert.deepEqual(found(file), []);
  });

  it("shows the same numbers, and the same name for the same thing on every screen", async () => {
    using store = filled();
    const file = join(store.folder, "anonymous.db");
    await record(store.file, file, 1800, { anonymise: true });
    using recording = openRecording(file);
    const api = new Api(recording);
    const { edges } = await ask<Topology>(api, "topology?last=600");
    assert.deepEqual(edges.map(({ counts }) => counts.connects).sort(), [0, 3, 40]);
    const shop = edges.find(({ counts }) => counts.connects === 40)!;
    assert.match(shop.from, /^name-[0-9a-f]{8}$/);
    assert.match(shop.to, /^10\.\d+\.\d+\.\d+$/);
    const db = edges.find(({ counts }) => counts.connects === 3)!;
    assert.match(db.to, /^fd00::/);
    const { rows, total } = await ask<List>(
      api,
      `connections?last=600&q=service:${shop.from}+peer:${shop.to}`,
    );
    assert.equal(total, 40);
    assert.deepEqual([rows[0]!.port, rows[0]!.ended], [5432, "fin_local"]);
    const { queues } = await ask<{ queues: { packets: number }[] }>(api, "host?last=600");
    assert.equal(queues[0]!.packets, 7);
    assert.deepEqual(
      recording.findings.raised.map(({ rule, count }) => [rule, count]),
      [["connects-fail", 9]],
    );
  });

  it("hashes with a new key each time", () => {
    const [one, other] = [new Pseudonyms(), new Pseudonyms()];
    assert.equal(one.of("web"), one.of("web"));
    assert.notEqual(one.of("web"), other.of("web"));
    assert.equal(one.of("::ffff:192.0.2.1"), `::ffff:${one.of("192.0.2.1")}`);
    for (const same of ["127.0.0.1", "::1", ""]) assert.equal(one.of(same), same);
  });

  it("keeps every attribute whose values are wirespan's own", () => {
    const specs = [CONNECTION, CONNECT, ACCEPT, RETRANSMIT].flatMap(({ attributes }) =>
      Object.entries(attributes),
    );
    const missing = specs.filter(([key, spec]) => spec.type === "string" && "enum" in spec && !KEPT.has(key));
    assert.deepEqual(missing, []);
  });
});
