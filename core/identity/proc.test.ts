import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { FakeProc } from "../../test/support/fake-proc.ts";
import { scanEnvironment } from "./environment.ts";
import { Proc } from "./proc.ts";

describe("reading /proc", () => {
  let fake: FakeProc;
  let proc: Proc;
  beforeEach(() => {
    fake = new FakeProc();
    proc = new Proc(fake.root);
  });
  afterEach(() => fake[Symbol.dispose]());

  it("returns what is there", () => {
    fake.set({
      pid: 42,
      startTicks: 123456,
      comm: "nginx",
      exe: "/usr/sbin/nginx",
      cgroup: "0::/system.slice/nginx.service\n",
      env: { PATH: "/bin", OTEL_SERVICE_NAME: "shop", OTEL_RESOURCE_ATTRIBUTES: "a=1", API_KEY: "secret" },
      argv: ["nginx: worker process"],
    });
    assert.deepEqual(proc.process(42), {
      pid: 42,
      startTicks: 123456,
      comm: "nginx",
      exe: "/usr/sbin/nginx",
      cgroup: "0::/system.slice/nginx.service\n",
      environment: { serviceName: "shop", resourceAttributes: "a=1" },
      refused: false,
      command: { called: "nginx", script: undefined, matched: new Set() },
      program: "nginx",
      published: undefined,
      unpublishable: undefined,
    });
  });

  it("reads a living thread if the first one has ended", () => {
    fake.set({ pid: 42, state: "Z", startTicks: 77, cgroup: "0::/\n" });
    rmSync(join(fake.root, "42", "exe"), { force: true });
    fake.thread(42, 43, {
      pid: 43,
      exe: "/usr/bin/basket",
      env: { OTEL_SERVICE_NAME: "shop" },
      cgroup: "0::/x\n",
    });
    for (const tid of [43, 44, undefined]) {
      const facts = proc.process(42, tid);
      assert.equal(facts?.environment?.serviceName, "shop", `${tid}`);
      assert.deepEqual([facts?.exe, facts?.cgroup, facts?.startTicks], ["/usr/bin/basket", "0::/x\n", 77]);
    }
  });

  it("returns nothing for a process that is gone", () => {
    assert.equal(proc.process(42), undefined);
    fake.set({ pid: 42 });
    rmSync(join(fake.root, "42", "cgroup"));
    assert.equal(proc.process(42), undefined, "gone half-way");
  });

  it("returns nothing for an invalid stat line", () => {
    for (const text of ["", "42", "42 (x) S 1 2 3", ")(", "42 (x"]) {
      fake.set({ pid: 42 });
      writeFileSync(join(fake.root, "42", "stat"), text);
      assert.equal(proc.process(42), undefined, text);
    }
  });

  for (const comm of ["a b", "a) S (b", "((", "))", "", "(sd-pam)", "caf\u00e9", ") R 1 2 3"]) {
    it(`is not misled by the name ${JSON.stringify(comm)}`, () => {
      fake.set({ pid: 42, comm, startTicks: 77 });
      const facts = proc.process(42);
      assert.equal(facts?.comm, comm);
      assert.equal(facts?.startTicks, 77);
    });
  }

  it("reads a kernel thread, and a process that has just ended, without executable and environment", () => {
    fake.set({ pid: 2, comm: "kthreadd" });
    const facts = proc.process(2);
    assert.equal(facts?.exe, undefined);
    assert.equal(facts?.environment, undefined);
    assert.equal(facts?.refused, false);
  });

  it("has the name of an executable that was replaced on disk", () => {
    fake.set({ pid: 42, exe: "/usr/bin/node (deleted)" });
    assert.equal(proc.process(42)?.exe, "/usr/bin/node");
  });

  describe("an interpreter without a script of its own", () => {
    const python = "/usr/bin/python3.11";
    const named = (parents: readonly (readonly [exe: string, argv: readonly string[]])[]) => {
      const spawned = [python, ["python3", "-c", "from multiprocessing.spawn import spawn_main"]] as const;
      for (const [i, [exe, argv]] of [spawned, ...parents].entries())
        fake.set({ pid: 42 - i, parent: 41 - i, exe, argv });
      return proc.process(42)?.program;
    };

    it("is called as its parent, a program of the same interpreter", () => {
      assert.equal(named([[python, ["python3", "/usr/bin/uvicorn", "shop:app"]]]), "uvicorn");
      const server = [python, ["python3", "-c", "from multiprocessing.forkserver import main"]] as const;
      assert.equal(named([server, server, [python, ["python3", "-m", "shop"]]]), "shop");
      assert.equal(named([[`${python} (deleted)`, ["gunicorn: master [shop]"]]]), "gunicorn");
    });

    it("is not called as another parent", () => {
      assert.equal(named([]), "python", "it is gone");
      assert.equal(named([["/usr/bin/bash", ["bash", "/opt/run.sh"]]]), "python");
      assert.equal(named([["/usr/bin/python3.12", ["python3.12", "app.py"]]]), "python");
    });
  });

  it("returns the rest if something is not a file", () => {
    fake.set({ pid: 42, comm: "odd" });
    rmSync(join(fake.root, "42", "environ"));
    mkdirSync(join(fake.root, "42", "environ"));
    symlinkSync("/nowhere/prog", join(fake.root, "42", "exe"));
    assert.deepEqual(
      { ...proc.process(42), cgroup: "" },
      {
        pid: 42,
        startTicks: 1000,
        comm: "odd",
        exe: "/nowhere/prog",
        cgroup: "",
        environment: undefined,
        refused: false,
        command: { called: undefined, script: undefined, matched: new Set() },
        program: "prog",
        published: undefined,
        unpublishable: undefined,
      },
    );
  });
});

describe("scanning an environment", () => {
  let fake: FakeProc;
  beforeEach(() => {
    fake = new FakeProc();
  });
  afterEach(() => fake[Symbol.dispose]());

  function scan(text: string): ReturnType<typeof scanEnvironment> {
    const path = join(fake.root, "environ");
    writeFileSync(path, text);
    const fd = openSync(path, "r");
    try {
      return scanEnvironment(fd);
    } finally {
      closeSync(fd);
    }
  }

  it("takes two variables and nothing similar", () => {
    assert.deepEqual(
      scan("XOTEL_SERVICE_NAME=no\0OTEL_SERVICE_NAMES=no\0OTEL_SERVICE_NAME=yes\0otel_service_name=no\0"),
      {
        serviceName: "yes",
      },
    );
    assert.deepEqual(scan("A=OTEL_SERVICE_NAME=no\0"), {});
    assert.deepEqual(scan("OTEL_SERVICE_NAME\0"), { isOverwritten: true });
    assert.deepEqual(scan("OTEL_SERVICE_NAME=\0"), { serviceName: "" });
    assert.deepEqual(scan("OTEL_RESOURCE_ATTRIBUTES=a=b,c=d"), { resourceAttributes: "a=b,c=d" });
  });

  it("takes the first of two, as getenv does", () => {
    assert.deepEqual(scan("OTEL_SERVICE_NAME=first\0OTEL_SERVICE_NAME=second\0"), { serviceName: "first" });
  });

  it("distinguishes an empty environment from one without the two", () => {
    assert.equal(scan(""), undefined);
    assert.deepEqual(scan("A=1\0"), {});
    assert.deepEqual(scan("\0"), { isOverwritten: true });
    assert.deepEqual(scan("rker process\0HOME=/\0"), { isOverwritten: true });
    assert.deepEqual(scan(`A=${"x".repeat(40_000)}\0B=1\0`), {});
  });

  it("is not affected by an earlier, longer environment", () => {
    scan(`A=1\0OTEL_SERVICE_NAME=earlier\0${"B=2\0".repeat(1000)}`);
    assert.deepEqual(scan("A=1\0"), {});
    assert.deepEqual(scan("A=1"), {});
  });

  it("takes only the beginning of a long variable, and continues after it", () => {
    for (const length of [2048, 2049, 16_000, 16_384, 16_385, 40_000, 131_072]) {
      const text = `OTEL_RESOURCE_ATTRIBUTES=${"x".repeat(length)}\0OTEL_SERVICE_NAME=behind\0`;
      const found = scan(text);
      assert.equal(found?.serviceName, "behind", `${length}`);
      assert.equal(found?.resourceAttributes?.length, Math.min(length, 2052), `${length}`);
    }
  });

  it("truncates a name between characters", () => {
    for (const [name, expected] of [
      ["x".repeat(300), "x".repeat(256)],
      ["é".repeat(300), "é".repeat(128)],
      [`x${"é".repeat(300)}`, `x${"é".repeat(127)}`],
      [`x${"😀".repeat(20_000)}`, `x${"😀".repeat(63)}`],
    ] as const) {
      assert.equal(scan(`OTEL_SERVICE_NAME=${name}\0A=1\0`)?.serviceName, expected);
    }
  });

  it("finds them at any position in a long environment", () => {
    const variable = fc.integer({ min: 0, max: 9000 }).map((length) => `V=${"v".repeat(length)}`);
    fc.assert(
      fc.property(fc.array(variable, { maxLength: 12 }), fc.nat(12), fc.boolean(), (some, at, ended) => {
        const all = some.toSpliced(at, 0, "OTEL_SERVICE_NAME=here");
        assert.equal(scan(all.join("\0") + (ended ? "\0" : ""))?.serviceName, "here");
      }),
      { numRuns: 200 },
    );
  });
});
