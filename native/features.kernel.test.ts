import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { native } from "./index.ts";
import { load } from "./test/fixture.ts";

describe("features", () => {
  it("reports kernel, libbpf, lockdown and the number of CPUs", () => {
    const features = native.features();
    assert.equal(features.kernel, release());
    assert.match(features.libbpf, /^[1-9]\.\d+$/);
    assert.ok(["none", "integrity", "confidentiality", "unknown"].includes(features.lockdown));
    assert.ok(features.cpus >= availableParallelism());
  });

  it("finds BTF tracepoints and iterators allowed, and a code for what is refused", () => {
    assert.equal(native.tryKind("tp_btf"), undefined);
    assert.equal(native.tryKind("iter"), undefined);
    for (const kind of ["fentry", "kprobe", "tracepoint"] as const) {
      assert.match(native.tryKind(kind) ?? "EPERM", /^E[A-Z0-9]+$/);
    }
  });
});

describe("the kernel's types", () => {
  it("give the number of a tracepoint's arguments, or -1 if there is no such tracepoint", () => {
    assert.equal(native.tracepointArity("inet_sock_set_state"), 3);
    assert.equal(native.tracepointArity("nonesuch"), -1);
  });

  it("give the number of a function's parameters, or -1 if there is no such function", () => {
    // int tcp_v4_connect(struct sock *, struct sockaddr *, int)
    assert.equal(native.functionArity("tcp_v4_connect"), 3);
    assert.equal(native.functionArity("nonesuch"), -1);
  });

  it("give an enum's values by name, or nothing if there is no such enum", () => {
    const reasons = native.kernelEnum("skb_drop_reason");
    assert.ok("SKB_DROP_REASON_NO_SOCKET" in reasons);
    assert.equal(new Set(Object.values(reasons)).size > 20, true);
    assert.deepEqual(native.kernelEnum("nonesuch"), {});
  });

  it("find an enum without a name by one of its values", () => {
    const vectors = native.kernelEnum("NET_RX_SOFTIRQ");
    assert.deepEqual([vectors.HI_SOFTIRQ, vectors.NET_RX_SOFTIRQ], [0, 3]);
    assert.deepEqual(native.kernelEnum("HI_SOFTIRQ"), vectors);
  });
});

describe("the clock", () => {
  it("converts the boot clock to wall-clock time", () => {
    const { sec, nsec } = native.bootOffset();
    assert.ok(Number.isInteger(sec) && Number.isInteger(nsec) && nsec >= 0 && nsec < 1e9);
    const wall = sec * 1000 + (nsec + native.bootNow()) / 1e6;
    assert.ok(Math.abs(wall - Date.now()) < 50, `${wall - Date.now()} ms off`);
  });

  it("agrees with the uptime and goes forward", () => {
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const first = native.bootNow();
    assert.ok(Math.abs(first / 1e9 - uptime) < 1);
    assert.ok(native.bootNow() > first);
  });
});

describe("netnsLinks", () => {
  it("lists a namespace's interfaces with their kinds and what they received", () => {
    const name = `wirespan-links-${process.pid}`;
    const ip = (...words: readonly string[]) =>
      execFileSync("ip", ["-n", name, ...words], { encoding: "utf8" });
    execFileSync("ip", ["netns", "add", name]);
    const fd = openSync(`/run/netns/${name}`, "r");
    try {
      for (let i = 0; i < 60; i++) ip("link", "add", `wire${i}`, "type", "veth", "peer", "name", `other${i}`);
      ip("link", "set", "lo", "up");
      const send = `require("node:dgram").createSocket("udp4").send("hello", 9, "127.0.0.1", () => process.exit())`;
      execFileSync("ip", ["netns", "exec", name, process.execPath, "-e", send]);
      // More than fits into one answer.
      const { cookie, links } = native.netnsLinks(fd);
      assert.equal(cookie, native.netnsCookie(fd));
      const reported = JSON.parse(ip("-s", "-j", "-d", "link", "show")) as {
        ifindex: number;
        ifname: string;
        linkinfo?: { info_kind?: string };
        stats64: { rx: { packets: number; bytes: number } };
      }[];
      assert.equal(links.length, 121);
      assert.deepEqual(
        links.filter(({ name }) => name === "lo" || name.endsWith("59")),
        reported
          .filter(({ ifname }) => ifname === "lo" || ifname.endsWith("59"))
          .map(({ ifindex: index, ifname: name, linkinfo, stats64: { rx } }) => {
            return { index, name, kind: linkinfo?.info_kind ?? "", packets: rx.packets, bytes: rx.bytes };
          }),
      );
    } finally {
      closeSync(fd);
      execFileSync("ip", ["netns", "delete", name]);
    }
  });

  it("fails with the kernel's code for something that is not a namespace", () => {
    const file = openSync("/dev/null", "r");
    assert.throws(() => native.netnsLinks(file), { code: "EINVAL", step: "enter netns" });
    closeSync(file);
  });
});

describe("cookies", () => {
  it("distinguish network namespaces, and are the same from inside and by descriptor", () => {
    const own = openSync("/proc/self/ns/net", "r");
    const name = `wirespan-${process.pid}`;
    execFileSync("ip", ["netns", "add", name]);
    const other = openSync(`/run/netns/${name}`, "r");
    try {
      const cookie = native.netnsCookie(-1);
      assert.ok(cookie > 0);
      assert.equal(native.netnsCookie(own), cookie);
      assert.notEqual(native.netnsCookie(other), cookie);
      assert.equal(native.netnsCookie(-1), cookie, "the caller stays where it was");
    } finally {
      closeSync(own);
      closeSync(other);
      execFileSync("ip", ["netns", "delete", name]);
    }
  });

  it("distinguish sockets", async () => {
    const sockets = [createServer().listen(0, "127.0.0.1"), createServer().listen(0, "127.0.0.1")];
    await Promise.all(sockets.map((socket) => once(socket, "listening")));
    const cookies = sockets.map((socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      assert.equal(native.socketCookie(fd), native.socketCookie(fd));
      return native.socketCookie(fd);
    });
    assert.ok(cookies.every((cookie) => cookie > 0) && cookies[0] !== cookies[1]);
    for (const socket of sockets) socket.close();
  });

  it("fail with the kernel's code for anything else", () => {
    const file = openSync("/dev/null", "r");
    assert.throws(() => native.socketCookie(file), { code: "ENOTSOCK", step: "socket cookie" });
    assert.throws(() => native.netnsCookie(file), { code: "EINVAL", step: "enter netns" });
    closeSync(file);
  });
});

describe("onMessage", () => {
  it("passes libbpf's messages on with their level, from the worker thread too", async () => {
    const messages: [level: number, text: string][] = [];
    native.onMessage((level, text) => messages.push([level, text]));
    await assert.rejects(load(["broken"]), { program: "broken" });
    await sleep(20);
    native.onMessage(undefined);
    assert.ok(messages.some(([level, text]) => level === 0 && text.includes("broken")));
    assert.ok(messages.some(([level]) => level === 2));
    assert.ok(messages.every(([, text]) => !text.endsWith("\n")));
    const before = messages.length;
    await assert.rejects(load(["broken"]), { program: "broken" });
    await sleep(20);
    assert.equal(messages.length, before);
  });

  it("calls the newest listener only", async () => {
    let old = 0;
    let newest = 0;
    native.onMessage(() => old++);
    native.onMessage(() => newest++);
    await assert.rejects(load(["broken"]), { program: "broken" });
    await sleep(20);
    native.onMessage(undefined);
    assert.equal(old, 0);
    assert.ok(newest > 0);
  });
});
