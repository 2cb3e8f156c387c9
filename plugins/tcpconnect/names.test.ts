import assert from "node:assert/strict";
import { DnsNames } from "./names.ts";

const SECOND = 1e9;
const process = { netnsCookie: 1, pid: 7, startedAt: 99 };
const at = "10.0.0.1";
const answer = (name: string, ttl = 60, text = at) => ({ name, addresses: [{ text, ttl }] });

function learned(...answers: readonly (readonly [at: number, ...ReturnType<typeof answer>[]])[]): DnsNames {
  const names = new DnsNames();
  for (const [serial, [time, one]] of answers.entries()) {
    names.answered(serial, time, one!);
    names.taken(serial, process);
  }
  return names;
}

describe("names that a process looked up", () => {
  it("are known for that process only, not for another or an earlier one, or in another namespace", () => {
    const names = learned([SECOND, answer("www.test")]);
    assert.deepEqual(names.find(process, at, 2 * SECOND), { name: "www.test", age: 1 });
    for (const other of [{ pid: 8 }, { netnsCookie: 2 }, { startedAt: 98 }])
      assert.equal(names.find({ ...process, ...other }, at, 2 * SECOND), undefined);
    assert.equal(names.find(process, "10.0.0.2", 2 * SECOND), undefined);
  });

  it("are unknown until the answer was received, and for older connections", () => {
    const names = new DnsNames();
    names.answered(3, SECOND, answer("www.test"));
    assert.equal(names.find(process, at, 2 * SECOND), undefined);
    names.taken(4, process);
    assert.equal(names.find(process, at, 2 * SECOND), undefined);
    names.taken(3, process);
    assert.equal(names.find(process, at, SECOND - 1), undefined);
    assert.equal(names.find(process, at, SECOND)?.name, "www.test");
  });

  it("are valid for their time to live, and long enough to be used", () => {
    const names = learned([0, answer("kept.test", 60)]);
    assert.equal(names.find(process, at, 60 * SECOND)?.name, "kept.test");
    assert.equal(names.find(process, at, 60 * SECOND + 1), undefined);
    const fresh = learned([0, answer("fresh.test", 0)]);
    assert.equal(fresh.find(process, at, 5 * SECOND)?.name, "fresh.test");
    assert.equal(fresh.find(process, at, 5 * SECOND + 1), undefined);
  });

  it("are those of the latest answer at the time of the connection", () => {
    const names = learned([0, answer("one.test")], [2 * SECOND, answer("two.test")]);
    assert.equal(names.find(process, at, SECOND)?.name, "one.test");
    assert.equal(names.find(process, at, 2 * SECOND)?.name, "two.test");
  });

  it("are limited in number", () => {
    const names = new DnsNames(100);
    for (let i = 0; i < 1000; i++) {
      names.answered(i, 0, answer("www.test", 60, `10.0.${i >> 8}.${i & 255}`));
      names.taken(i, process);
    }
    const found = Array.from({ length: 1000 }, (_, i) => names.find(process, `10.0.${i >> 8}.${i & 255}`, 0));
    assert.ok(found[999]);
    assert.ok(found.filter(Boolean).length <= 100);
  });
});
