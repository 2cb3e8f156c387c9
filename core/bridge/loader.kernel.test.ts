// Simulates kernels that refuse a type of program.
import assert from "node:assert/strict";
import { native } from "../../native/index.ts";
import { watch } from "../../test/support/engine.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { installedPlugins } from "../engine/discover.ts";

describe("a kernel that loads programs on functions but attaches none (ENOTSUPP, arm64 before 6.4)", () => {
  before(function () {
    needsRoot(this);
  });

  it("runs every plugin with other hooks, and reports why each program was refused", async () => {
    const like = Object.assign(Object.create(native) as typeof native, {
      tryKind: (kind: Parameters<typeof native.tryKind>[0]) =>
        kind === "fentry" ? "ENOTSUPP" : native.tryKind(kind),
    });
    await using watched = await watch(installedPlugins(), {}, like);
    const { engine } = watched;
    const hooks = [engine.tracker.loaded, ...engine.runners].flatMap(({ hooks }) => hooks);
    const ofFunctions = (at = "") => /^f(entry|exit)\//.test(at);
    assert.deepEqual(engine.runners.map(({ plugin }) => plugin.name).sort(), [...installedPlugins()].sort());
    assert.deepEqual(
      hooks.filter(({ at }) => ofFunctions(at)),
      [],
    );
    const refused = hooks.flatMap(({ refused }) => refused).filter(({ at }) => ofFunctions(at));
    assert.ok(
      refused.some(({ program }) => program === "on_graft"),
      "programs that are attached after all others are among them",
    );
    const present = refused.filter(
      ({ why }) => !/this kernel has no function|this kernel's .* takes/.test(why),
    );
    assert.deepEqual([...new Set(present.map(({ why }) => why))].sort(), [
      "ENOTSUPP: this kernel refuses fentry",
      "ENOTSUPP: this kernel refuses fexit",
    ]);
  });
});
