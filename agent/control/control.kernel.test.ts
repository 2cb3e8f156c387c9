// The control socket and the health address of a running agent, with all kinds of clients.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Agent, MAIN, startAgent } from "../../test/support/agent.ts";
import { DEADLINE } from "../../test/support/deadline.ts";
import { needsRoot } from "../../test/support/netns.ts";

const main = fileURLToPath(new URL(`../../${MAIN}`, import.meta.url));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One command of the command line, against a socket. */
function wirespan(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { timeout: DEADLINE }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, out, err }),
    );
  });
}

const rss = async (pid: number) =>
  Number(/VmRSS:\s*(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const descriptors = async (pid: number) => (await readdir(`/proc/${pid}/fd`)).length;

/** What the other side sends until it closes the connection. */
async function answerTo(
  socket: string,
  bytes: Buffer | string,
  finish: (s: Socket) => void,
): Promise<string> {
  const connection = createConnection(socket);
  connection.on("error", () => {});
  connection.write(bytes);
  finish(connection);
  return text(connection).catch(() => "");
}

describe("the control socket of a running agent", () => {
  let folder: string;
  let socket: string;
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    folder = await mkdtemp(join(tmpdir(), "wirespan-control-"));
    socket = join(folder, "own", "control.sock");
    agent = await startAgent(["--plugin", "softirqs"], {
      config: `version: 1\ncontrol: { socket: ${socket} }\nhealth: { address: "127.0.0.1:18971" }\n`,
    });
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function isWell(): Promise<void> {
    const { code, out, err } = await wirespan("status", "--json", "--socket", socket);
    assert.equal(code, 0, err);
    assert.equal((JSON.parse(out) as { pid: number }).pid, agent.pid);
  }

  it("is accessible only to the agent's user, in a folder which that user owns", async () => {
    assert.equal(((await lstat(socket)).mode & 0o7777).toString(8), "600");
    assert.equal(((await lstat(join(folder, "own"))).mode & 0o7777).toString(8), "700");
  });

  it("answers a command without a newline if its sender has shut down its side", async () => {
    const said = await answerTo(socket, "status", (s) => s.end());
    assert.equal((JSON.parse(said) as { result: { pid: number } }).result.pid, agent.pid);
    await isWell();
  });

  const leaving: Record<string, (s: Socket) => void> = {
    "closes when all is written": (s) => void s.destroySoon(),
    "closes in the middle": (s) => void setTimeout(() => s.destroy(), 20),
    "shuts down its side": (s) => void s.end(),
    "never ends, and never reads": (s) => void s.pause(),
  };
  const sent: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    "half a command": Buffer.from("stat"),
    "a whole command": Buffer.from("status\n"),
    "a command and more behind it": Buffer.from(`status\n${"x".repeat(100_000)}`),
    "two commands": Buffer.from("status\nreload\n"),
    "invalid UTF-8": Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x0a]),
    "binary data": Buffer.from(Uint8Array.from({ length: 4096 }, (_, i) => i * 7)),
    "names of Object.prototype": Buffer.from("__proto__\n"),
    HTTP: Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  };
  it("survives every way in which a client can disconnect, whatever it has sent", async () => {
    const before = await descriptors(agent.pid);
    for (const bytes of Object.values(sent)) {
      for (const leave of Object.values(leaving)) {
        const connection = createConnection(socket).on("error", () => {});
        if (bytes.length) connection.write(bytes);
        leave(connection);
      }
    }
    await isWell();
    await sleep(5000);
    await isWell();
    assert.ok((await descriptors(agent.pid)) <= before + 2, "connections stay open");
  });

  it("answers an invalid command with an error that does not repeat it", async () => {
    for (const bytes of ["\u001b[2J\n", "constructor\n", "x".repeat(65), "\n"]) {
      const said = await answerTo(socket, bytes, () => {});
      const { error } = JSON.parse(said) as { error: { code: string; message: string } };
      assert.deepEqual(error, { code: "USAGE", message: "unknown command; known: status, reload, view" });
    }
  });

  it("does not grow when it receives 100 MB without a newline", async () => {
    const before = await rss(agent.pid);
    const connection = createConnection(socket).on("error", () => {});
    const chunk = Buffer.alloc(1024 ** 2, 0x61);
    for (let i = 0; i < 100 && !connection.destroyed; i++) {
      if (!connection.write(chunk))
        await Promise.race([once(connection, "drain").catch(() => {}), sleep(3000)]);
    }
    connection.destroy();
    const grown = (await rss(agent.pid)) - before;
    assert.ok(grown < 30, `${grown} MiB more`);
    await isWell();
  });

  it("keeps at most 16 connections, and none that is silent for 10 s", async () => {
    const before = await descriptors(agent.pid);
    const open = Array.from({ length: 300 }, () => createConnection(socket).on("error", () => {}));
    const gone = open.map((connection) => once(connection.resume(), "close"));
    await sleep(300);
    assert.ok((await descriptors(agent.pid)) <= before + 17, `${await descriptors(agent.pid)} descriptors`);
    await isWell();
    await Promise.race([Promise.all(gone), sleep(20_000)]);
    assert.equal(open.filter((connection) => !connection.closed).length, 0);
  });

  it("has a health address that idle connections cannot exhaust", async () => {
    const before = await descriptors(agent.pid);
    const open = Array.from({ length: 400 }, () => {
      const connection = createConnection(18971, "127.0.0.1").on("error", () => {});
      connection.write("GET / HT");
      return connection.resume();
    });
    await sleep(500);
    assert.ok((await descriptors(agent.pid)) <= before + 34, `${await descriptors(agent.pid)} descriptors`);
    const response = await fetch("http://127.0.0.1:18971/");
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { pid: number }).pid, agent.pid);
    await sleep(6000);
    assert.equal(open.filter((connection) => !connection.destroyed).length, 0);
  });
});

describe("an existing file at the control socket's path", () => {
  let folder: string;
  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-control-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts an agent for this socket; returns its log line about the socket. */
  async function lineAbout(socket: string): Promise<string> {
    await using agent = await startAgent(["--plugin", "softirqs"], {
      config: `version: 1\ncontrol: { socket: ${socket} }\nexporters: { c: { type: console } }\n`,
    });
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0);
    return stderr.find((line) => line.includes("no control socket")) ?? "";
  }

  const LOST = "no control socket, so `wirespan status` and `wirespan reload` will not find this agent: ";
  const MEND = "name another path, or fix that one (`ls -ld` shows it).";

  const wrong: Record<string, { make(path: string): Promise<unknown>; says: (path: string) => string }> = {
    "a file": {
      make: (path) => writeFile(path, "precious"),
      says: (path) => `${path}: it is a file, not a socket, and is left as it is; ${MEND}`,
    },
    "a folder": {
      make: (path) => mkdir(path),
      says: (path) => `${path}: it is a folder, not a socket, and is left as it is; ${MEND}`,
    },
    "a link to a file": {
      make: async (path) => {
        await writeFile(`${path}.file`, "precious");
        await symlink(`${path}.file`, path);
      },
      says: (path) => `${path}: it is a link, not a socket, and is left as it is; ${MEND}`,
    },
    "a socket of another user's": {
      make: async (path) => {
        const server = createServer().listen(path);
        await once(server, "listening");
        await chown(path, 65534, 65534);
        server.unref();
      },
      says: (path) => `${path}: it belongs to user 65534, not to user 0; remove it, or name another path.`,
    },
    "in a folder that others may write to": {
      make: () => chmod(folder, 0o777),
      says: (path) => `${path}: others may write to ${folder} (mode 0777; chmod go-w closes it); ${MEND}`,
    },
    "in a folder of another user's": {
      make: () => chown(folder, 65534, 65534),
      says: (path) => `${path}: ${folder} belongs to user 65534, not to user 0, whose agent this is; ${MEND}`,
    },
  };
  for (const [what, { make, says }] of Object.entries(wrong)) {
    it(`is left unchanged and reported if it is ${what}`, async () => {
      const socket = join(folder, "control.sock");
      await make(socket);
      const before = await lstat(socket).catch(() => undefined);
      const line = JSON.parse(await lineAbout(socket)) as { level: string; msg: string };
      assert.deepEqual([line.level, line.msg], ["warn", `${LOST}control.socket: ${says(socket)}`]);
      assert.equal((await lstat(socket).catch(() => undefined))?.ino, before?.ino);
    });
  }

  it("is replaced if it is the socket of an agent that was killed", async () => {
    const socket = join(folder, "control.sock");
    const config = `version: 1\ncontrol: { socket: ${socket} }\nexporters: { c: { type: console } }\n`;
    await using killed = await startAgent(["--plugin", "softirqs"], { config });
    await killed[Symbol.asyncDispose]();
    await using agent = await startAgent(["--plugin", "softirqs"], { config });
    const { code, out } = await wirespan("status", "--json", "--socket", socket);
    assert.deepEqual([code, (JSON.parse(out) as { pid: number }).pid], [0, agent.pid]);
    await agent.stop();
    await assert.rejects(lstat(socket), "the socket goes with its agent");
  });

  const listeners: Record<string, { answer: string | undefined; says: string }> = {
    "never answers": {
      answer: undefined,
      says: "does not answer; is the agent stopped (`kill -CONT` wakes it)?",
    },
    "answers with something else": {
      answer: "HTTP/1.1 400 Bad Request\r\n\r\n",
      says: "does not answer like an agent",
    },
    "answers with another form": {
      answer: '{"result":{"pid":"\\u001b[2J"}}\n',
      says: "does not answer like this version of wirespan; is the agent a different version?",
    },
    "answers without end": {
      answer: "x".repeat(5 * 1024 ** 2),
      says: "sends a longer answer than an agent does",
    },
    "hangs up": { answer: "", says: "ended the connection without an answer" },
  };
  for (const [what, { answer, says }] of Object.entries(listeners)) {
    it(`does not block status or a new agent if it ${what}`, async () => {
      const socket = join(folder, "control.sock");
      const server = createServer((connection) => {
        connection.on("error", () => {});
        if (answer === "") connection.end();
        else if (answer !== undefined) connection.write(answer);
      }).listen(socket);
      await once(server, "listening");
      try {
        const { code, out, err } = await wirespan("status", "--socket", socket);
        assert.deepEqual(
          [code, out, err],
          [2, "", `wirespan: The program that listens on ${socket} ${says}\n`],
        );
        // A new agent only needs to know whether anything answers at all.
        if (says.includes("version")) return;
        const { level, msg } = JSON.parse(await lineAbout(socket)) as { level: string; msg: string };
        assert.deepEqual([level, msg], ["warn", `${LOST}The program that listens on ${socket} ${says}`]);
      } finally {
        server.close();
      }
    });
  }
});
