// The process that stores, sums and shows what the agent observes: it reads frames from its standard input until that
// ends, and reports on descriptor 3. Tests: exporters/local/local-exporter.test.ts, test/system/viewer.kernel.test.ts.
import { constants, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { hostname, release } from "node:os";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { setFlagsFromString } from "node:v8";
import { FrameReader } from "../exporters/local/frame.ts";
import type { Report, StoreOptions } from "../exporters/local/store-process.ts";
import { Copier } from "./copier.ts";
import { Database } from "./database.ts";
import { FULL } from "./file.ts";
import { Findings } from "./findings/findings.ts";
import { Rhythm } from "./findings/rhythm.ts";
import { Receiver } from "./http/receive.ts";
import { PageServer } from "./http/server.ts";
import { Ingest } from "./ingest.ts";
import { Living } from "./living.ts";
import { Resources } from "./query/resources.ts";
import { Scan } from "./query/scan.ts";
import { dropPrivileges } from "./rights.ts";

function report(what: Report): void {
  writeSync(3, `${JSON.stringify(what)}\n`);
}

/** `host:port`, `[::1]:port` or `:port`, already validated. */
function split(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(":");
  return {
    host: address.slice(0, at).replace(/^\[|\]$/g, "") || "0.0.0.0",
    port: Number(address.slice(at + 1)),
  };
}

/** The page's address; undefined if it is not available, which is reported. */
async function listen(server: PageServer, address: string): Promise<string | undefined> {
  const { host, port } = split(address);
  try {
    const actual = await server.listen(host, port);
    return `http://${host.includes(":") ? `[${host}]` : host}:${actual}/`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "it is in use; set viewer.address" : message;
    report({
      problem: `the page cannot be shown at ${address}: ${why}. What is observed is kept all the same.`,
    });
    return undefined;
  }
}

/** Ends the process with a line that the agent logs. */
function fail(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

/** Ensures that only one process writes a file; the lock ends with the process. */
function lock(file: string): void {
  try {
    const db = new DatabaseSync(`${file}.lock`);
    db.exec("BEGIN EXCLUSIVE");
    process.once("exit", () => db.close());
  } catch (error) {
    if (!/locked/.test(String(error))) throw error;
    fail(`another agent writes ${file}; set viewer.file`);
  }
}

/** Ends the process when its file is removed: the next one creates a new file, which this one is not allowed to do. */
function failIfRemoved(file: string): void {
  // Never closed: that would end SQLite's own locks on the file.
  const fd = openSync(file, constants.O_RDONLY);
  setInterval(() => {
    if (fstatSync(fd).nlink === 0) fail(`${file} was removed`);
  }, 1000).unref();
}

/** How many of a SYN's timeouts do not double; 0 before Linux 6.5. */
function synLinearTimeouts(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", "latin1"));
  } catch {
    return 0;
  }
}

async function run(options: StoreOptions): Promise<void> {
  // V8 then keeps 20 MB less after a query, for a twelfth more CPU time. As an argument of Node, it would make Node compile
  // its own modules at each start.
  setFlagsFromString("--optimize-for-size");
  const { file } = options;
  let db: Database | undefined;
  process.on("uncaughtException", (error: Error & { errcode?: number }) => {
    if (error.errcode === undefined) fail(String(error.stack).split("\n", 2).join(""));
    if (error.errcode !== FULL || !db?.isFull) fail(`${file} cannot be written: ${error.message}`);
    db.clear();
    fail(`${file} was full of names and has been emptied`);
  });
  lock(file);
  db = new Database(file, options.bytes);
  failIfRemoved(file);
  await serve(options, db);
}

async function serve(options: StoreOptions, db: Database): Promise<void> {
  if (db.replaced) report({ problem: db.replaced });
  const about = {
    ...{ host: hostname(), kernel: release(), started: Date.now() / 1000 },
    synLinearTimeouts: synLinearTimeouts(),
  };
  db.setMeta("host", options.hostInstance);
  db.setMeta("about", JSON.stringify(about));
  const ingest = new Ingest(db, options.rate);
  const scan = new Scan(db, ingest, new Resources(db));
  const findings = new Findings(db, ingest, scan, (finding) => report({ finding }));
  const { address, users, token, isOpen } = options;
  const living = new Living(report);
  const now = () => Date.now() / 1000;
  const server = new PageServer(
    { db, copier: () => copier, ingest, scan, findings, living, about: () => about, isRecording: false, now },
    { users, token, isOpen },
    options.receive ? new Receiver(db, ingest, options.receiveFrom) : undefined,
  );
  const url = await listen(server, address);
  const copier = new Copier(options.file, `${options.file}.save`, true);
  // No file is opened again, nor the address.
  dropPrivileges(options.file);
  report({ ready: { url } });

  let committed = 0;
  const commit = () => {
    ingest.commit(Date.now() / 1000);
    if (ingest.committed === committed) return;
    committed = ingest.committed;
    report({ committed });
  };
  const reader = new FrameReader();
  const rhythm = new Rhythm(() => void findings.evaluate(Date.now() / 1000));
  process.stdin.on("data", (chunk: Buffer) => {
    const now = Date.now();
    let isDue = false;
    for (const { head, body } of reader.push(chunk)) {
      if (head.type === "token") server.guard.tokens.addOnce(head.token);
      else if (head.type === "living") living.take(head);
      else isDue = ingest.take(head, body, now) || isDue;
      if (head.type === "metrics") rhythm.collected();
    }
    if (isDue) commit();
  });
  const commits = setInterval(() => ingest.isDue(Date.now()) && commit(), 1000);
  process.stdin.once("end", () => {
    clearInterval(commits);
    rhythm.stop();
    commit();
    server.close();
    db.close();
  });
}

// A terminal's signals are for the agent, which ends the store.
for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
void run(JSON.parse(process.argv[2]!) as StoreOptions);
