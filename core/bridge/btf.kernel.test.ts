import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { native } from "../../native/index.ts";
import { skeleton } from "../../test/bpf/fields.skel.ts";
import { built, compiled } from "../../test/support/bpf.ts";
import { source } from "../../tools/skeleton/source.ts";
import type { Layout } from "../plugin/skeleton.ts";
import { readObject } from "./btf.ts";
import { loadObject } from "./loader.ts";

const root = join(import.meta.dirname, "../..");

/** A program with one ring of `struct record`, of these fields. */
const ringOf = (fields: string, more = "") => `
#include <wirespan/kernel.h>
#include <bpf/bpf_helpers.h>
#include <wirespan/ring.h>
#include <wirespan/skeleton.h>
${more}
struct record { ${fields} };
EXPORT_RING(records, struct record, 4096);
SEC("syscall") int nothing(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
`;

const layoutOf = (fields: string, more = "") => readObject(compiled(ringOf(fields, more)));

function recordOf(fields: string, more = ""): Layout {
  const { records } = layoutOf(fields, more).records;
  assert(records?.kind === "ring");
  return records.record;
}

describe("a built object", () => {
  it("lists its programs, constants, counters and records", () => {
    const object = readObject(built("fields"));
    assert.deepEqual(object.programs, { produce: "syscall", walk: "iter/bpf_map_elem" });
    assert.deepEqual(Object.keys(object.constants), ["ends", "limit"]);
    assert.deepEqual(object.counters, ["seen_records", "lost_records"]);
    assert.equal(object.runtimeConfig?.kind, "struct");
    const kinds = Object.entries(object.records).map(([name, layout]) => [
      name,
      layout.kind,
      layout.kind === "table" && layout.perCpu,
    ]);
    assert.deepEqual(kinds, [
      ["pairs", "table", true],
      ["records", "ring", false],
      ["shapes", "table", false],
      ["walk", "rows", false],
    ]);
  });

  it("has every field's offset and kind", () => {
    const record = recordOf("u64 at; s32 code; u8 raw[4]; char comm[16]; bool done;");
    assert(record.kind === "struct");
    assert.equal(record.size, 40);
    assert.deepEqual(record.fields, [
      { name: "at", offset: 0, layout: { kind: "int", size: 8, signed: false } },
      { name: "code", offset: 8, layout: { kind: "int", size: 4, signed: true } },
      {
        name: "raw",
        offset: 12,
        layout: { kind: "array", size: 4, element: { kind: "int", size: 1, signed: false }, length: 4 },
      },
      { name: "comm", offset: 16, layout: { kind: "text", size: 16 } },
      { name: "done", offset: 32, layout: { kind: "bool", size: 1 } },
    ]);
  });

  it("refuses fields that cannot be read from JavaScript: a pointer, a union, a bit field", () => {
    for (const [fields, why] of [
      ["void *p;", /a pointer can't cross/],
      ["union { u32 a; u16 b; } u;", /can't cross/],
      ["u32 a : 3; u32 b : 29;", /the bit field record\.a can't cross/],
    ] as const) {
      assert.throws(() => layoutOf(fields), why);
    }
  });

  it("may have one zero-initialised global, not two", () => {
    const globals = "u32 first; u32 second;";
    assert.throws(() => layoutOf("u64 at;", globals), /more than one zero-initialised global/);
  });

  it("is refused with a clear error if it is truncated anywhere", () => {
    const whole = built("fields");
    for (let length = 0; length < whole.length; length += 61) {
      assert.throws(
        () => readObject(whole.subarray(0, length)),
        (error) => error instanceof Error && error.message.length > 0,
        `${length} of ${whole.length} bytes`,
      );
    }
  });

  it("is refused without BTF, with the probable cause", () => {
    const elf = Buffer.from(built("fields"));
    elf.write(".BXF\0", elf.indexOf(".BTF\0"), "latin1");
    assert.throws(() => readObject(elf), /no \.BTF section: it was built without -g/);
  });
});

describe("the layout's hash", () => {
  const base = "u64 time; u32 pid; u32 tid;";
  const { hash } = layoutOf(base);

  it("stays the same while the layout does, whatever the program does", () => {
    assert.equal(layoutOf(base, "u64 helper(void); /* another text */ typedef u32 unused;").hash, hash);
  });

  for (const [change, fields] of [
    ["a name", "u64 at; u32 process; u32 tid;"],
    ["an order", "u64 at; u32 tid; u32 pid;"],
    ["a size", "u64 at; u32 pid; u64 tid;"],
    ["a sign", "u64 at; u32 pid; s32 tid;"],
    ["an offset", "u64 at; u32 gap; u32 pid; u32 tid;"],
  ] as const) {
    it(`changes with ${change}`, () => assert.notEqual(layoutOf(fields).hash, hash));
  }

  it("changes with an enum's values, a constant, a counter", () => {
    const withEnum = (values: string) => layoutOf("enum why why; u32 pid;", `enum why { ${values} };`).hash;
    assert.notEqual(withEnum("WHY_A, WHY_B"), withEnum("WHY_B, WHY_A"));
    assert.notEqual(layoutOf(base, "const volatile u32 limit = 0;").hash, hash);
    const counters = (name: string) => {
      const account = `struct account { u64 ${name}; }; EXPORT_COUNTERS(struct account);`;
      return layoutOf(base, `${account} SEC("syscall") int count(void *c) { COUNT(${name}); return 0; }`)
        .hash;
    };
    assert.notEqual(counters("seen"), counters("lost"));
  });
});

describe("btfgen", () => {
  it("writes the committed file for every kind of record and field", () => {
    const text = source(readObject(built("fields")), "fields.bpf.c", "../..");
    assert.equal(text, readFileSync(join(root, "test/bpf/fields.skel.ts"), "utf8"));
  });

  it("refuses a struct without a name, a field named like a member of cursors, and arrays without a typed array", () => {
    const generate = (fields: string) => source(layoutOf(fields), "x.bpf.c", "..");
    assert.throws(() => generate("struct { u32 a; } inner;"), /a struct that crosses .* needs a name/);
    assert.throws(() => generate("u64 at;"), /struct record: no field may be called at/);
    assert.throws(() => generate("u16 ports[4];"), /arrays hold u8, u32 or u64/);
  });

  it("has been run on every object as it is built now", () => {
    for (const path of globSync("{bpf,plugins/*}/*.bpf.o", { cwd: root })) {
      assert(readObject(readFileSync(join(root, path))).hash, path);
      assert(existsSync(join(root, path.replace(/\.o$/, ".c"))), path);
    }
  });
});

describe("a reader whose layout differs from the object's", () => {
  it("is refused before anything is loaded, with both hashes and how to fix it", async () => {
    const path = join(root, "test/bpf/fields.bpf.o");
    built("fields");
    const loading = loadObject(native, {
      name: "fields",
      path,
      skeleton: { ...skeleton, hash: "0".repeat(16) },
      probes: {},
    });
    await assert.rejects(loading, {
      code: "BPF_LAYOUT",
      message: new RegExp(
        `layout ${skeleton.hash}\\).*layout 0{16}\\) differ; run: npm run build && npm run gen`,
      ),
    });
  });
});
