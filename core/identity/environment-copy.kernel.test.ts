import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Proc } from "./proc.ts";

/** Python that does what programs do before they write a title over their environment. */
const overwriting = `
import ctypes, sys
fields = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
stack, start, end = (int(fields[n - 3]) for n in (28, 50, 51))
word = ctypes.c_void_p
environ = ctypes.POINTER(word).in_dll(ctypes.CDLL(None), "environ")
count = 0
while environ[count]: count += 1
more = int(sys.argv[2])
kept = [ctypes.create_string_buffer(one) for one in [b"V=x"] * more + [ctypes.string_at(environ[i]) for i in range(count)]]
copies = (word * (len(kept) + 1))(*[ctypes.addressof(one) for one in kept], None)
empty = (word * 1)(None)
if sys.argv[1] == "nginx":
    original = stack + 8 * (ctypes.c_long.from_address(stack).value + 2)
    ctypes.memmove(original, copies, ctypes.sizeof(copies))
    copies = empty
ctypes.cast(ctypes.byref(environ), ctypes.POINTER(word))[0] = ctypes.addressof(copies if sys.argv[1] != "none" else empty)
ctypes.memset(start, 0, end - start)
ctypes.memmove(start, b"worker process", min(14, end - start))
print("done", flush=True)
sys.stdin.read()
`;

describe("an environment that is overwritten with a title", () => {
  const env = {
    PATH: process.env.PATH,
    FIRST: "x".repeat(5000),
    OTEL_SERVICE_NAME: "cart",
    OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${"t".repeat(1500)}`,
    API_KEY: "secret",
  };
  /** `more`: variables that come first. */
  async function environmentOf(like: string, more = 0) {
    const child = spawn("python3", ["-c", overwriting, like, `${more}`], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      return new Proc().process(child.pid!)?.environment;
    } finally {
      child.kill("SIGKILL");
    }
  }

  for (const [like, expected] of [
    ["postgres", { serviceName: "cart", resourceAttributes: env.OTEL_RESOURCE_ATTRIBUTES }],
    ["nginx", { serviceName: "cart", resourceAttributes: env.OTEL_RESOURCE_ATTRIBUTES }],
    ["none", {}],
  ] as const) {
    it(`is read from its copy, if there is one: ${like}`, async () => {
      assert.deepEqual(await environmentOf(like), expected);
    });
  }

  it("costs a bounded number of reads, however many variables there are", async () => {
    assert.equal((await environmentOf("postgres", 900))?.serviceName, "cart");
    assert.deepEqual(await environmentOf("postgres", 1100), {});
  });
});
