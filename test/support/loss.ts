// Compares retransmissions, as seen on the wire and by the byte ranges that clients and servers have logged, with the
// spans that report them.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type AnyHandlers, ObjectReader } from "../../core/bridge/object-reader.ts";
import { native } from "../../native/index.ts";
import { type Message, type Shown, skeleton } from "../bpf/retransmits.skel.ts";
import { built } from "./bpf.ts";
import { type Netns, output } from "./netns.ts";

export const lossFolder = fileURLToPath(new URL("../loss/", import.meta.url));

/** A request or an answer: the bytes from `from` to before `to` of what this end of the connection has sent. */
export interface Range {
  readonly side: "client" | "server";
  readonly traceparent: string;
  readonly from: number;
  readonly to: number;
  /** The client's. */
  readonly port: number;
  /** The server's. */
  readonly service: number;
}

const programs = new Map<string, Promise<string>>();

/** A Go program, built once for all tests of this process. */
function goProgram(folder: string): Promise<string> {
  const program = programs.get(folder) ?? buildGo(folder);
  programs.set(folder, program);
  return program;
}

async function buildGo(folder: string): Promise<string> {
  const into = mkdtempSync(join(tmpdir(), "wirespan-go-"));
  process.once("exit", () => rmSync(into, { recursive: true }));
  const program = join(into, "program");
  await output("sh", ["-c", `cd ${folder} && CGO_ENABLED=0 exec go build -o ${program} .`]);
  return program;
}

/** The program of test/loss/client. */
export const goClient = () => goProgram(join(lossFolder, "client"));

/** The program of test/http/h2c. */
export const goH2c = () => goProgram(fileURLToPath(new URL("../http/h2c/", import.meta.url)));

/** A segment that was sent for the second time. */
export interface Again {
  readonly port: number;
  readonly peer: number;
  /** The offset of its first byte in everything that this end has sent; -1: a SYN. */
  readonly at: number;
  readonly sequence: number;
  readonly bytes: number;
  readonly flags: number;
}

/** Records what is sent from a namespace for the second time, until it is stopped. */
export async function tap(netns: Netns): Promise<{ stop(): Promise<readonly Again[]> }> {
  const child = netns.spawn("python3", ["-B", `${lossFolder}tap.py`], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! });
  const said: string[] = [];
  await once(lines, "line");
  lines.on("line", (line) => said.push(line));
  const closed = once(lines, "close");
  return {
    async stop() {
      child.stdin!.end();
      await closed;
      const { missed } = JSON.parse(said.pop() ?? "{}") as { missed?: number };
      if (missed !== 0) throw new Error(`the tap has missed ${missed} packets`);
      return said.map((line) => JSON.parse(line) as Again);
    },
  };
}

const keyOf = (port: unknown, peer: unknown, sequence: unknown) => [port, peer, sequence].join(" ");

/** The difference of two sequence numbers; negative if the first one comes before the second. */
const after = (one: number, other: number): number => (one - other) | 0;

/** What the kernel has shown to programs that share no code with the agent's, since some machines omit events. */
export class Witnessed {
  readonly retransmits = new Map<string, number>();
  readonly #messages = new Map<string, { readonly from: number; readonly to: number }[]>();

  addRetransmit({ localPort, peerPort, sequence }: Shown): void {
    const key = keyOf(localPort, peerPort, sequence);
    this.retransmits.set(key, (this.retransmits.get(key) ?? 0) + 1);
  }

  addMessage({ localPort, peerPort, sequence, bytes }: Message): void {
    const key = `${localPort}-${peerPort}`;
    const all = this.#messages.get(key) ?? [];
    all.push({ from: sequence, to: (sequence + bytes) >>> 0 });
    this.#messages.set(key, all);
  }

  /** Whether some of these bytes of `end` (its ports) were in a message that was not shown; in sequence numbers. */
  isHidden(end: string, from: number, to: number): boolean {
    let reached = from;
    for (const message of this.#messages.get(end) ?? []) {
      if (after(message.from, reached) > 0 && after(message.from, to) < 0) return true;
      if (after(message.from, reached) <= 0 && after(message.to, reached) > 0) reached = message.to;
    }
    return after(reached, to) < 0;
  }

  /** Whether a message of `end` that begins before this sequence number was shown. */
  hasBefore(end: string, sequence: number): boolean {
    return (this.#messages.get(end) ?? []).some(({ from }) => after(from, sequence) < 0);
  }
}

/** Observes what the kernel shows, until it is stopped. */
export async function witness(): Promise<{ stop(): Witnessed }> {
  const programs = ["retransmit", "message"];
  const object = await native.load("retransmits", built("retransmits"), { programs });
  for (const program of programs) object.attach(program);
  const witnessed = new Witnessed();
  const reader = new ObjectReader(native, object, skeleton, {
    shown: (segment: Shown) => witnessed.addRetransmit(segment),
    messages: (message: Message) => witnessed.addMessage(message),
  } as AnyHandlers);
  // Counts for the whole host.
  const draining = setInterval(() => reader.drain(), 100);
  return {
    stop() {
      clearInterval(draining);
      reader.drain();
      const { lost_records } = reader.counters();
      reader.close();
      if (lost_records) throw new Error(`the witness has lost ${lost_records} records`);
      return witnessed;
    },
  };
}

/** Requests of one connection in one direction, by ports, to find those that a segment's bytes belong to. */
export class Ranges {
  readonly #byEnd: ReadonlyMap<string, readonly Range[]>;

  constructor(all: readonly Range[]) {
    const key = ({ side, port, service }: Range) =>
      side === "client" ? `${port}-${service}` : `${service}-${port}`;
    this.#byEnd = Map.groupBy(all, key);
  }

  /** The requests to which, or to whose answers, the segment's bytes belong. */
  of({ port, peer, at, bytes }: Again): readonly Range[] {
    const all = this.#byEnd.get(`${port}-${peer}`) ?? [];
    return all.filter(({ from, to }) => from < at + bytes && at < to);
  }
}

/** A span `tcp retransmit` in an application's trace. */
export interface Retransmit {
  readonly traceId: string;
  readonly parentSpanId?: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Retransmitted segments, by how they appear in the traces of requests. */
export interface Account {
  /** In the trace of the request to which their bytes belong. */
  exact: number;
  /** In another request's trace, or never on the wire. */
  readonly wrong: string[];
  /** Of a request, but in no trace. */
  readonly missing: Again[];
  /** In no trace, because the kernel has shown them to no program. */
  unshown: number;
  /** In no trace, because it has shown no program a message with bytes of the request up to theirs. */
  hidden: number;
  /** Those of `hidden` for which an earlier message of the same connection was shown. */
  hiddenLater: number;
  /** Of no request (handshakes, ends, bytes without a range), and in no trace. */
  outside: number;
  /** Of no known range, but in a trace. */
  readonly unranged: { readonly segment: Again; readonly span: Retransmit }[];
  /** Requests whose bytes were retransmitted without a span in their trace. */
  readonly unseen: Range[];
  /** By side and service: requests whose own trace shows retransmissions. */
  readonly seen: Map<string, Set<string>>;
}

/** Finds the segments of `again` in applications' traces. `shown`: see `witness`; everything if absent. */
export function judge(
  again: readonly Again[],
  ranges: readonly Range[],
  spans: readonly Retransmit[],
  shown?: Witnessed,
): Account {
  const owners = new Ranges(ranges);
  const account: Account = {
    exact: 0,
    wrong: [],
    missing: [],
    unshown: 0,
    hidden: 0,
    hiddenLater: 0,
    outside: 0,
    unranged: [],
    unseen: [],
    seen: new Map(),
  };
  const reported = Map.groupBy(spans, ({ attributes: of }) =>
    keyOf(of["network.local.port"], of["network.peer.port"], of["wirespan.tcp.sequence"]),
  );
  const found = new Set<Range>();
  const left = new Map(shown?.retransmits);
  const touched = new Set<Range>();
  for (const segment of again) {
    const key = keyOf(segment.port, segment.peer, segment.sequence);
    const own = owners.of(segment);
    const span = reported.get(key)?.pop();
    const isShown = !shown || (left.get(key) ?? 0) > 0;
    left.set(key, (left.get(key) ?? 0) - 1);
    if (!span && !isShown) {
      account.unshown++;
      continue;
    }
    const [owner] = own;
    if (!span && owner && shown) {
      const end = `${segment.port}-${segment.peer}`;
      const from = (segment.sequence - segment.at + owner.from) >>> 0;
      if (shown.isHidden(end, from, Math.min(segment.at + segment.bytes, owner.to) - owner.from + from)) {
        account.hidden++;
        if (shown.hasBefore(end, from)) account.hiddenLater++;
        continue;
      }
    }
    for (const range of own) touched.add(range);
    if (!span && own.length > 0) account.missing.push(segment);
    else if (!span) account.outside++;
    else if (own.length === 0) account.unranged.push({ segment, span });
    else {
      const id = `${span.traceId}-${span.parentSpanId}`;
      const range = own.find(({ traceparent }) => traceparent.slice(3, 52) === id);
      if (range) found.add(range);
      if (range) account.exact++;
      else account.wrong.push(`${JSON.stringify(segment)} is ${own[0]!.traceparent}, not ${id}`);
    }
  }
  for (const [key, more] of reported)
    if (more.length > 0) account.wrong.push(`${key}: ${more.length} more than on the wire`);
  account.unseen.push(...[...touched].filter((range) => !found.has(range)));
  for (const { side, service, traceparent } of found) {
    const key = `${side} ${service}`;
    account.seen.set(key, (account.seen.get(key) ?? new Set()).add(traceparent));
  }
  return account;
}
