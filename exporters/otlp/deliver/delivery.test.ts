import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { arrived, Exporting, until, upTo } from "../../../test/support/exporting.ts";
import { type Answer, OtlpSink } from "../../../test/support/otlp-sink.ts";
import { acceptedMetric, connectionSpan, dropEvent, softirqMetric } from "../../../test/support/telemetry.ts";

for (const protocol of ["grpc", "http"] as const) {
  const refusal = (
    codes: { grpc: number; http: number },
    rest: { message: string; retryAfterMs?: number },
  ): Answer => ({
    kind: "fail",
    code: codes[protocol],
    ...rest,
  });
  const unavailable = refusal({ grpc: status.UNAVAILABLE, http: 503 }, { message: "not now" });

  describe(`OTLP over ${protocol}`, () => {
    for (const compression of ["gzip", "none"] as const) {
      it(`delivers all three signals with compression ${compression}, and headers`, async () => {
        await using sink = await OtlpSink.start(protocol);
        await using made = await Exporting.toSink(sink, { compression, headers: { "X-Api-Key": "secret" } });
        const { fanout, exporter } = made;
        for (let i = 0; i < 1000; i++) fanout.span(connectionSpan(i));
        for (let i = 0; i < 10; i++) fanout.event(dropEvent(i));
        fanout.metrics([acceptedMetric(3), softirqMetric()]);
        await fanout.flush(5000);
        assert.deepEqual(arrived(sink), upTo(1000));
        assert.equal(sink.logs.length, 10);
        assert.deepEqual(
          sink.metrics.map(({ name }) => name),
          ["wirespan.tcp.connection.accepted", "wirespan.softirq.duration"],
        );
        for (const { headers } of sink.received) assert.equal(headers["x-api-key"], "secret");
        assert.deepEqual(
          (["span", "point", "event"] as const).map((kind) => exporter.counts(kind).acknowledged),
          [1000, 4, 10],
        );
        made.assertBalanced();
        assert.deepEqual(exporter.queue, { bytes: 0, limit: 32 * 1024 * 1024 });
      });
    }

    it("loses nothing and keeps the order when the backend is killed and comes back", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter, lines } = made;
      let next = 0;
      const feed = setInterval(() => {
        for (let i = 0; i < 40; i++) fanout.span(connectionSpan(next++));
        made.assertBalanced();
      }, 10);
      for (let round = 0; round < 2; round++) {
        await until(() => exporter.counts("span").queued < 600 && sink.received.length > 0);
        await delay(500);
        await sink.stop();
        await delay(1500);
        await until(() => exporter.counts("span").queued > 2000);
        const taken = sink.received.length;
        await sink.start();
        const back = performance.now();
        await until(() => sink.received.length > taken);
        assert.ok(sink.received[taken]!.at - back < 2000);
      }
      clearInterval(feed);
      await fanout.flush(10_000);
      assert.deepEqual(arrived(sink), upTo(next));
      assert.deepEqual(exporter.counts("span"), {
        given: next,
        acknowledged: next,
        queued: 0,
        lost: { queue_full: 0, rejected: 0, unconfirmed: 0, shutdown_timeout: 0, encode: 0 },
      });
      const reported = lines.map(({ level, message }) => `${level}: ${message}`);
      const first = ["warn: export failing, will retry", "info: export recovered"];
      assert.deepEqual(reported, first, "one line a minute of each kind");
      await fanout.shutdown(1000);
      assert.equal(lines.at(-1)!.message, "export failed temporarily, now recovered");
    });

    for (const compression of ["gzip", "none"] as const) {
      it(`loses nothing when the backend dies in the middle of requests, compression ${compression}`, async () => {
        await using sink = await OtlpSink.start(protocol);
        sink.delayMs = 30;
        await using made = await Exporting.toSink(sink, { compression });
        const { fanout, exporter } = made;
        for (let i = 0; i < 6000; i++) fanout.span(connectionSpan(i));
        for (let round = 0; round < 5; round++) {
          const attempts = sink.attempts;
          await until(() => sink.attempts > attempts);
          await delay(10);
          await sink.stop();
          await delay(50);
          await sink.start();
        }
        sink.delayMs = 0;
        // Buffers of delivered requests are reused.
        for (let i = 6000; i < 12_000; i += 600) {
          for (let j = i; j < i + 600; j++) fanout.span(connectionSpan(j));
          await fanout.flush(10_000);
        }
        assert.deepEqual(arrived(sink), upTo(12_000));
        assert.equal(exporter.counts("span").acknowledged, 12_000);
        made.assertBalanced();
      });
    }

    it("retries what the backend cannot accept now, with pauses of at most a second", async () => {
      await using sink = await OtlpSink.start(protocol);
      const times: number[] = [];
      sink.answer = () => {
        times.push(performance.now());
        return unavailable;
      };
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      fanout.span(connectionSpan(0));
      const flushed = fanout.flush(20_000);
      await until(() => times.length === 7);
      sink.answer = { kind: "ok" };
      await flushed;
      const pauses = times.slice(1).map((time, i) => time - times[i]!);
      assert.ok(Math.max(...pauses) < 1300, `${pauses}`);
      assert.ok(pauses.at(-1)! > 500, `grows: ${pauses}`);
      assert.equal(exporter.counts("span").acknowledged, 1);
    });

    it("waits as long as the backend asks", async () => {
      await using sink = await OtlpSink.start(protocol);
      const times: number[] = [];
      const later = refusal(
        { grpc: status.RESOURCE_EXHAUSTED, http: 429 },
        { message: "slow down", retryAfterMs: 2000 },
      );
      sink.answer = () => {
        times.push(performance.now());
        return times.length === 1 ? later : { kind: "ok" };
      };
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      fanout.span(connectionSpan(0));
      await fanout.flush(10_000);
      assert.equal(times.length, 2);
      assert.ok(times[1]! - times[0]! >= 1950, `${times[1]! - times[0]!}`);
      assert.equal(exporter.counts("span").acknowledged, 1);
    });

    it("counts what the backend rejects permanently, logs it once, and continues", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = refusal({ grpc: status.INVALID_ARGUMENT, http: 400 }, { message: "no such tenant" });
      await using made = await Exporting.toSink(sink);
      const { fanout, lines } = made;
      for (let i = 0; i < 1024; i++) fanout.span(connectionSpan(i));
      await fanout.flush(5000);
      assert.deepEqual(made.lost("span"), { rejected: 1024 });
      sink.answer = { kind: "ok" };
      fanout.span(connectionSpan(7));
      await fanout.flush(5000);
      assert.deepEqual(arrived(sink), [7]);
      made.assertBalanced();
      assert.equal(lines.length, 1);
      assert.match(String(lines[0]!.fields.reason), /no such tenant/);
    });

    it("counts the rejected part of a partial success, and logs the backend's message", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = { kind: "partial", rejected: 3, message: "too old" };
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter, lines } = made;
      for (let i = 0; i < 10; i++) fanout.span(connectionSpan(i));
      fanout.metrics([acceptedMetric(5)]);
      await fanout.flush(5000);
      assert.deepEqual(made.lost("span"), { rejected: 3 });
      assert.equal(exporter.counts("span").acknowledged, 7);
      assert.deepEqual(made.lost("point"), { rejected: 3 });
      assert.equal(exporter.counts("point").acknowledged, 2);
      made.assertBalanced();
      assert.ok(lines.every(({ fields }) => fields.reason === "too old"));
    });

    it("treats a partial success without rejections as success", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = { kind: "partial", rejected: 0, message: "please upgrade" };
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      fanout.span(connectionSpan(1));
      await fanout.flush(5000);
      assert.equal(exporter.counts("span").acknowledged, 1);
    });

    it("drops the oldest when full, counts them, and keeps its bound", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = unavailable;
      const queueBytes = 1_000_000;
      await using made = await Exporting.toSink(sink, { queueBytes, compression: "none" });
      const { fanout, exporter, lines } = made;
      const total = 5120;
      for (let i = 0; i < total; i++) {
        fanout.span(connectionSpan(i));
        if (i % 1000 === 0) fanout.event(dropEvent(i));
        if (i % 512 === 511) {
          made.assertBalanced();
          assert.ok(exporter.queue.bytes <= queueBytes, `${exporter.queue.bytes}`);
          await delay(5);
        }
      }
      await delay(300);
      const { queue_full: dropped } = exporter.counts("span").lost;
      assert.ok(dropped > 0 && dropped < total);
      made.assertBalanced();
      sink.answer = { kind: "ok" };
      await fanout.flush(10_000);
      const numbers = arrived(sink);
      assert.equal(numbers.length, total - exporter.counts("span").lost.queue_full);
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
      assert.equal(numbers.at(-1), total - 1, "the newest are kept");
      assert.equal(lines.filter(({ fields }) => fields.cause === "queue_full").length, 1);
    });

    it("stays within its bound, and holds far more, with compression", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = unavailable;
      const queueBytes = 1_500_000;
      await using made = await Exporting.toSink(sink, { queueBytes });
      const { fanout, exporter } = made;
      for (let i = 0, before = 0; i < 40_960; i++) {
        fanout.span(connectionSpan(i));
        if (i % 512 === 511) {
          assert.ok(exporter.queue.bytes <= queueBytes, `${exporter.queue.bytes}`);
          made.assertBalanced();
          // Compression runs in another thread; uncompressed, these are 300 kB.
          await until(() => exporter.queue.bytes < before + 150_000);
          before = exporter.queue.bytes;
        }
      }
      assert.ok(exporter.counts("span").queued > 10_000, `${exporter.counts("span").queued}`);
      await fanout.shutdown(100);
      made.assertBalanced();
    });

    it("does not delay one signal if another is rejected", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = (signal) => (signal === "traces" ? unavailable : { kind: "ok" });
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      fanout.span(connectionSpan(1));
      fanout.metrics([acceptedMetric(2)]);
      fanout.event(dropEvent(1));
      const acknowledged = (kind: "point" | "event") => exporter.counts(kind).acknowledged;
      await until(() => acknowledged("point") === 2 && acknowledged("event") === 1);
      assert.equal(exporter.counts("span").queued, 1);
      await fanout.shutdown(100);
    });

    it("has one request in flight for each signal", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.delayMs = 40;
      await using made = await Exporting.toSink(sink);
      const { fanout } = made;
      for (let i = 0; i < 2048 * 6; i++) fanout.span(connectionSpan(i));
      await fanout.flush(10_000);
      const times = sink.received.map(({ at }) => at);
      times.slice(1).forEach((time, i) => {
        assert.ok(time - times[i]! > 35, `${time - times[i]!}`);
      });
    });

    it("fills its requests while the backend is slow: 20,000 spans per second fit at 100 ms", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.delayMs = 100;
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      const total = 10 * 2048;
      for (let i = 0; i < total; i++) {
        fanout.span(connectionSpan(i));
        if (i % 1024 === 1023) await delay(1);
      }
      await fanout.flush(15_000);
      assert.equal(exporter.counts("span").acknowledged, total);
      assert.deepEqual(arrived(sink), upTo(total));
      assert.ok(sink.attempts <= 12, `${sink.attempts} requests for ${total} spans`);
    });

    it("splits requests of every signal that are too large, down to single items", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.limit = 6000;
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter, lines } = made;
      for (let i = 0; i < 300; i++) fanout.span(connectionSpan(i));
      for (let i = 0; i < 300; i++) fanout.event(dropEvent(i));
      fanout.event({ ...dropEvent(300), body: "x".repeat(7000) });
      fanout.metrics([acceptedMetric(500), softirqMetric()]);
      await fanout.flush(15_000);
      assert.deepEqual(arrived(sink), upTo(300));
      assert.equal(exporter.counts("span").acknowledged, 300);
      assert.equal(sink.logs.length, 300);
      assert.deepEqual(made.lost("event"), { rejected: 1 }, "what is too large alone");
      assert.equal(exporter.counts("point").acknowledged, 501);
      const ports = sink.metrics.flatMap(
        ({ sum }) => sum?.dataPoints.map((p) => p.attributes["server.port"]) ?? [],
      );
      assert.deepEqual(ports, upTo(500));
      assert.equal(lines.length, 1);
      made.assertBalanced();
      assert.ok(sink.refusals < 45, `a size that was refused is not tried again: ${sink.refusals}`);
      const before = sink.attempts;
      for (let i = 0; i < 300; i++) fanout.span(connectionSpan(i));
      await fanout.flush(15_000);
      assert.equal(exporter.counts("span").acknowledged, 600);
      assert.ok(sink.attempts - before < 150, "it has learnt what the backend takes");
    });

    it("retries if the backend does not respond", async () => {
      await using sink = await OtlpSink.start(protocol);
      let silent = 2;
      sink.answer = () => (silent-- > 0 ? { kind: "hang" } : { kind: "ok" });
      await using made = await Exporting.toSink(sink, { timeoutMs: 300 });
      const { fanout, exporter, lines } = made;
      fanout.span(connectionSpan(1));
      await fanout.flush(10_000);
      assert.equal(exporter.counts("span").acknowledged, 1);
      assert.equal(sink.attempts, 3);
      assert.match(
        String(lines[0]!.fields.reason),
        protocol === "grpc" ? /DEADLINE_EXCEEDED/ : /no response within 300 ms/,
      );
    });

    it("shuts down by its deadline and counts what remains", async () => {
      await using sink = await OtlpSink.start(protocol);
      sink.answer = { kind: "hang" };
      await using made = await Exporting.toSink(sink);
      const { fanout, exporter } = made;
      for (let i = 0; i < 1300; i++) fanout.span(connectionSpan(i));
      const began = performance.now();
      await Promise.all([fanout.shutdown(400), fanout.shutdown(400)]);
      const took = performance.now() - began;
      assert.ok(took >= 350 && took < 1500, `${took}`);
      assert.deepEqual(made.lost("span"), { shutdown_timeout: 1300 });
      assert.equal(exporter.counts("span").queued, 0);
      assert.equal(exporter.queue.bytes, 0);
      fanout.span(connectionSpan(1300));
      await fanout.flush(100);
      assert.deepEqual(made.lost("span"), { shutdown_timeout: 1301 });
      made.assertBalanced();
    });

    it("exports only the configured signals", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await Exporting.toSink(sink, { signals: ["metrics"] });
      const { fanout, exporter } = made;
      fanout.span(connectionSpan(1));
      fanout.metrics([acceptedMetric(2)]);
      await fanout.flush(5000);
      assert.equal(exporter.counts("span").given, 0);
      assert.deepEqual(
        sink.received.map(({ signal }) => signal),
        ["metrics"],
      );
    });

    it("sends each signal to its own endpoint if there is one", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using other = await OtlpSink.start(protocol);
      const metrics = protocol === "grpc" ? other.endpoint : `${other.endpoint}/v1/metrics`;
      await using made = await Exporting.toSink(sink, { perSignalEndpoints: { metrics } });
      const { fanout } = made;
      fanout.span(connectionSpan(1));
      fanout.metrics([acceptedMetric(2)]);
      await fanout.flush(5000);
      assert.deepEqual(
        sink.received.map(({ signal }) => signal),
        ["traces"],
      );
      assert.deepEqual(
        other.received.map(({ signal }) => signal),
        ["metrics"],
      );
    });
  });
}
