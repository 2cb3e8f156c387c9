import assert from "node:assert/strict";
import { allRefusedIncludes, includesOf, refusedIncludes } from "./includes.ts";

describe("includes of BPF programs", () => {
  it("follow the table in all programs and headers", () => {
    assert.deepEqual(allRefusedIncludes(), []);
  });

  it("are rejected if the table does not allow them, naming both files and what is allowed", () => {
    assert.deepEqual(refusedIncludes("plugins/a/a.bpf.c", '#include "../../bpf/tracker/states.h"\n'), [
      "plugins/a/a.bpf.c includes bpf/tracker/states.h: it may include headers of bpf/include/wirespan and plugins/a only (tools/includes.ts)",
    ]);
  });

  for (const [path, line] of [
    ["plugins/a/a.bpf.c", '#include "../b/b.h"'],
    ["plugins/a/a.h", "#include <wirespan/../../tracker/states.h>"],
    ["plugins/a/a.bpf.c", "#include <linux/tcp.h>"],
    ["plugins/a/a.bpf.c", '  #  include "../../bpf/tracker/emit.h"'],
    ["bpf/include/wirespan/conn.h", '#include "../../tracker/shared.h"'],
    ["bpf/tracker/tracker.bpf.c", '#include "../../plugins/a/a.h"'],
    ["bpf/other/a.bpf.c", '#include "a.h"'],
  ] as const) {
    it(`are rejected: ${path}: ${line}`, () => {
      assert.equal(refusedIncludes(path, `${line}\n`).length, 1);
    });
  }

  for (const [path, line] of [
    ["plugins/a/a.bpf.c", '#include "a.h"'],
    ["plugins/a/a.bpf.c", "#include <wirespan/hooks/drop.h>"],
    ["plugins/a/a.bpf.c", "#include <bpf/bpf_helpers.h>"],
    ["bpf/tracker/emit.h", '#include "shared.h"'],
    ["bpf/tracker/emit.h", "#include <wirespan/conn.h>"],
    // A comment includes nothing.
    ["plugins/a/a.bpf.c", '// #include "../b/b.h"'],
  ] as const) {
    it(`are allowed: ${path}: ${line}`, () => assert.deepEqual(refusedIncludes(path, `${line}\n`), []));
  }

  it("are all found", () => {
    const text = '#include <wirespan/conn.h>\n#include "b.h"\n';
    assert.deepEqual(includesOf("plugins/a/a.h", text), ["bpf/include/wirespan/conn.h", "plugins/a/b.h"]);
  });
});
