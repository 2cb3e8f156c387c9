import assert from "node:assert/strict";
import { withDefaults } from "../../config/criteria.ts";
import type { PartialFilter } from "../plugin/settings.ts";
import { wantedBy } from "./wanted.ts";

const names = {
  pid: (_: string, text: string) => Number(text),
  cgroup: (path: string) => Number(path.slice(1)),
  netns: (text: string) => Number(text),
};
const met = { pid: 5, uid: 1000, comm: "nginx", cgroups: 0b10 };

describe("a new process", () => {
  for (const [filter, expected] of [
    [{}, true],
    [{ include: { netns: ["42"] } }, true],
    [{ include: { netns: ["43"] } }, false],
    [{ exclude: { netns: ["42"] } }, false],
    [{ include: { pid: ["5", "6"], uid: ["1000"] } }, true],
    [{ include: { pid: ["5"], uid: ["0"] } }, false],
    [{ include: { comm: ["ngin*"] } }, true],
    [{ include: { comm: ["ngin"] } }, false],
    [{ exclude: { comm: ["nginx"] } }, false],
    [{ include: { cgroup: ["/1"] } }, true],
    [{ include: { cgroup: ["/0"] } }, false],
    [{ include: { localPort: ["80"] } }, true],
  ] as const satisfies readonly (readonly [PartialFilter, boolean])[]) {
    it(`is ${expected ? "read" : "not read"} with ${JSON.stringify(filter)}`, () => {
      assert.equal(wantedBy(withDefaults(filter as PartialFilter), names, () => 42)(met), expected);
    });
  }
});
