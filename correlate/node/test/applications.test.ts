import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { skip } from "../../../test/support/skip.ts";
import { type Counts, run, serverCertificate } from "./app.ts";
import { installed, versions } from "./nodes.ts";

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

describe("correlate/node: applications", () => {
  for (const { major, program, missing } of versions) {
    const clients = [
      "http",
      "https",
      "http by its header",
      "http without the API",
      "http, three at a time",
      "fetch",
      "fetch of a span",
      "net",
      "no span",
    ];
    it(`Node ${major}: refused connects are labelled, 100 one by one and 100 at once with each client`, async function () {
      if (!program) skip(this, missing);
      const all = { attempts: 200, right: 200, wrong: 0, left: 0 };
      const results = Object.fromEntries(clients.map((client) => [client, all]));
      assert.deepEqual(await run<object>(program, "connects.js"), { results, failures: 0 });
    });

    const scenes: readonly [scene: string, keys: number, ended: number, what: string][] = [
      ["peers", 800, 0, "two connections with the same ports keep their contexts apart"],
      ["thousands", 6000, 0, "1000 connections, many of which share a slot, keep their contexts"],
      ["IPv6", 40, 0, "IPv6 connections are found"],
      ["mapped", 40, 0, "connections of IPv4 at an IPv6 server are found"],
      ["pipelined", 3, 0, "a pipelined response goes out under its own request's context"],
      ["without", 100, 100, "a request without a context ends the last one's"],
    ];
    for (const [scene, keys, ended, what] of scenes) {
      it(`Node ${major}: ${what}`, async function () {
        if (!program) skip(this, missing);
        if (!hasIPv6 && (scene === "IPv6" || scene === "mapped")) skip(this, "no IPv6 on this machine");
        const result = await run<object>(program, "sockets.js", [scene]);
        assert.deepEqual(result, { keys, right: keys, none: 0, extra: 0, ended, failures: 0 });
      });
    }

    it(`Node ${major}: the bytes of two streams that alternate are labelled at each turn`, async function () {
      if (!program) skip(this, missing);
      const result = await run<object>(program, "streams.js");
      assert.deepEqual(result, { client: "ABABAB-A", server: "BABAB", failures: 0 });
    });

    it(`Node ${major}: four worker threads have four tables`, async function () {
      if (!program) skip(this, missing);
      using certificate = serverCertificate();
      if (!certificate) skip(this, "no openssl on this machine");
      const results = await run<Counts[]>(program, "workers.js", [4, certificate.folder]);
      assert.equal(results.length, 4);
      for (const { expected, right, wrong, written, failures } of results) {
        assert.ok(expected >= 2 * 251);
        assert.deepEqual(
          { right, wrong, written, failures },
          { right: expected, wrong: 0, written: expected, failures: 0 },
        );
      }
    });

    it(`Node ${major}: each process of a cluster announces its own table`, async function () {
      if (!program) skip(this, missing);
      interface Status {
        readonly requests?: number;
        readonly contexts: number;
        readonly announcements: number;
        readonly failures: number;
      }
      const { ports, results, primary } = await run<{ ports: number[]; results: Status[]; primary: Status }>(
        program,
        "cluster.js",
      );
      assert.equal(ports[0], ports[1]);
      assert.equal(primary.contexts, 40);
      for (const { announcements, failures } of [primary, ...results]) {
        assert.deepEqual({ announcements, failures }, { announcements: 1, failures: 0 });
      }
      for (const { requests, contexts } of results) assert.equal(contexts, requests);
      assert.equal(results[0]!.contexts + results[1]!.contexts, 40);
    });

    it(`Node ${major}: the table is announced periodically, from its own memory, and again after an interruption`, function () {
      if (!program) skip(this, missing);
      const apps = join(import.meta.dirname, "apps");
      const text = execFileSync(program, [`--import=${apps}/fast.js`, join(apps, "announcing.js")], {
        encoding: "utf8",
      });
      assert.deepEqual(JSON.parse(text), {
        first: 1,
        again: true,
        own: true,
        announcements: true,
        failures: 0,
      });
    });

    it(`Node ${major}: an application that passes arbitrary values keeps working, and gets no wrong label`, async function () {
      if (!program) skip(this, missing);
      const result = await run<object>(program, "hostile.js");
      const fine = {
        headers: true,
        labels: 0,
        manager: true,
        spans: true,
        still: true,
        last: true,
        noticed: true,
      };
      assert.deepEqual(result, fine);
    });

    it(`Node ${major}: with that option all writes are labelled with the active span, except those with a known one`, async function () {
      if (!program) skip(this, missing);
      const result = await run<object>(program, "raw.js", [], { WIRESPAN_CORRELATE_WRITES: "1" });
      const none = { none: 0, extra: 0, ended: 0 };
      assert.deepEqual(result, {
        raw: { keys: 100, right: 100, ...none },
        nobody: { keys: 0, right: 0, none: 0, extra: 0, ended: 1 },
        said: { keys: 1, right: 1, ...none },
        http: { keys: 10, right: 10, ...none },
        failures: 0,
      });
    });

    it(`Node ${major}: the active span, if any, is found with every version of the API`, async function () {
      if (!program) skip(this, missing);
      if (!installed("pg")) skip(this, "no second version: npm ci in correlate/node was not run");
      assert.deepEqual(await run<object>(program, "apis.js", [0]), { cases: 5, right: 5 });
      assert.deepEqual(await run<object>(program, "apis.js", [1]), { cases: 3, right: 3 });
    });

    it(`Node ${major}: does nothing if it is disabled`, async function () {
      if (!program) skip(this, missing);
      const { expected, right, written } = await run(program, "exchange.js", ["http", 20, 2], {
        WIRESPAN_CORRELATE: "off",
      });
      assert.deepEqual({ expected, right, written }, { expected: 42, right: 0, written: 0 });
    });
  }
});
