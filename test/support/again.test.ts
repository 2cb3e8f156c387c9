import assert from "node:assert/strict";
import { report } from "./mocha.ts";

/** An agent that has missed `unseen` events. */
const agent = `
  import assert from "node:assert/strict";
  import { countUnseen } from "ROOT/test/support/unseen.ts";
  let unseen = 0;
  countUnseen(() => unseen);
  let runs = 0;`;

describe("a test that fails", () => {
  it("is run again, and listed, if the agent missed events during the run", async () => {
    const { passed, failures, reruns } = await report(`${agent}
      it("once", () => {
        if (runs++ === 0) unseen += 7;
        assert.equal(runs, 2);
      });`);
    assert.equal(passed, 1);
    assert.deepEqual(failures, []);
    assert.deepEqual(
      reruns.map(({ title, unseen }) => [title, unseen]),
      [["once", 7]],
    );
  });

  it("has failed if the agent missed no events, or only earlier ones", async () => {
    const { passed, failures, reruns } = await report(`${agent}
      it("lets something pass", () => { unseen++; });
      it("fails", () => assert.equal(++runs, 2));`);
    assert.equal(passed, 1);
    assert.equal(failures.length, 1);
    assert.match(failures[0]!.message, /^Expected values to be strictly equal:\n\n1 !== 2/);
    assert.deepEqual(reruns, []);
  });

  it("is not run again forever", async () => {
    const { failures, reruns } = await report(`${agent}
      it("fails", () => { unseen++; assert.equal(++runs, 0); });`);
    assert.deepEqual([failures.length, reruns.length], [1, 3]);
  });

  it("is run again with its suite's workload if events were missed during that", async () => {
    const { passed, failures, reruns } = await report(`${agent}
      const order = [];
      describe("outer", () => {
        before(() => { order.push("outer"); });
        after(() => { order.push("after outer"); });
        describe("inner", () => {
          before(() => { order.push("inner"); if (runs++ === 0) unseen += 2; });
          after(() => { order.push("after inner"); });
          it("first", () => {});
          it("second", () => assert.equal(runs, 2));
          it("third", () => assert.equal(runs, 2));
        });
      });
      describe("later", () => {
        it("in that order", () =>
          assert.deepEqual(order, ["outer", "inner", "after inner", "inner", "after inner", "after outer"]));
      });`);
    assert.deepEqual(failures, []);
    assert.equal(passed, 4);
    assert.deepEqual(
      reruns.map(({ title, unseen }) => [title, unseen]),
      [["outer inner second", 2]],
    );
  });

  it("in a hook is run again like a test", async () => {
    const { passed, failures, reruns } = await report(`${agent}
      describe("suite", () => {
        before(() => { if (runs++ === 0) { unseen += 3; throw new Error("too few"); } });
        it("runs", () => {});
      });`);
    assert.deepEqual([passed, failures.length], [1, 0]);
    assert.deepEqual(
      reruns.map(({ message, unseen }) => [message, unseen]),
      [["too few", 3]],
    );
  });
});
