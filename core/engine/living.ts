// Currently open connections, on request: the program that lists them is loaded at the first request, and unloaded when
// there has been none for a while. Tests: core/engine/living.kernel.test.ts.
import { join } from "node:path";
import { type Living as Row, skeleton } from "../../bpf/living/living.skel.ts";
import type { Config } from "../../config/config.ts";
import { withDefaults } from "../../config/criteria.ts";
import type { Native } from "../../native/index.ts";
import { type Loaded, loadObject } from "../bridge/loader.ts";
import { ObjectReader } from "../bridge/object-reader.ts";
import type { Connections } from "../plugin/connection.ts";
import type { LivingConnection, LivingList } from "../plugin/living.ts";
import { TCP_STATES } from "../plugin/semconv.ts";
import { packFilter, pinnedMaps } from "./filter.ts";
import type { Tracker } from "./tracker.ts";

/** Maximum number of listed connections; half of them if their queues are empty. */
const MOST = 2000;

/** Milliseconds after the last request. */
const UNLOAD_AFTER = 30_000;

export interface LivingOptions {
  readonly native: Native;
  readonly tracker: Tracker;
  readonly connections: () => Connections;
  readonly config: () => Config;
}

export class Living {
  readonly #options: LivingOptions;
  #loaded: Promise<Loaded> | undefined;
  /** The inputs of the program. */
  #filter = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LivingOptions) {
    this.#options = options;
  }

  /** Throws what the kernel refuses. */
  async list(): Promise<LivingList> {
    const { native } = this.#options;
    const connections = this.#options.connections();
    const { object } = await this.#program();
    await object.iterate("count_open", "conns");
    const rows = await object.iterate("living", "conns");
    const nowNs = native.bootNow();
    // By id: the kernel may have visited a socket twice.
    const found = new Map<number, LivingConnection>();
    const take = (all: unknown) => {
      for (const row of all as Iterable<Row>)
        found.set(row.record.conn.cookie, connectionOf(row, connections, nowNs));
    };
    new ObjectReader(native, object, skeleton, { living: take }).takeRows(rows, 0);
    const counts = new Uint8Array(8);
    object.map("found").read(new Uint8Array(4), counts);
    return { total: new DataView(counts.buffer).getUint32(0, true), connections: [...found.values()] };
  }

  close(): void {
    clearTimeout(this.#timer);
    void this.#loaded?.then(
      ({ object }) => object.close(),
      () => {},
    );
    this.#loaded = undefined;
  }

  async #program(): Promise<Loaded> {
    const { filter } = this.#options.config();
    const text = JSON.stringify(filter);
    if (text !== this.#filter) this.close();
    this.#filter = text;
    this.#loaded ??= this.#load();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), UNLOAD_AFTER);
    this.#timer.unref();
    try {
      return await this.#loaded;
    } catch (error) {
      this.#loaded = undefined;
      throw error;
    }
  }

  #load(): Promise<Loaded> {
    const { native, tracker } = this.#options;
    const { filter } = this.#options.config();
    const everything = withDefaults();
    return loadObject(native, {
      name: "living",
      path: join(import.meta.dirname, "../../bpf/living/living.bpf.o"),
      skeleton,
      probes: {},
      constants: {
        ...tracker.ids,
        most_rows: MOST,
        agent_filter: packFilter("filter", filter, tracker.names),
        plugin_filter: packFilter("filter", everything, tracker.names),
      },
      pinned: pinnedMaps(filter, everything),
      reuse: tracker.shared({ skeleton }),
    });
  }
}

function connectionOf(
  { record, sendQueue, receiveQueue, tcpState }: Row,
  connections: Connections,
  nowNs: number,
): LivingConnection {
  const { conn, traffic } = record;
  return {
    traceId: record.traceId.slice(),
    resource: connections.resource(conn.owner),
    attributes: connections.attributes(record),
    state: TCP_STATES[tcpState] ?? "closed",
    age: Math.max(0, nowNs - conn.openedAt) / 1e9,
    sent: traffic.sentBytes,
    received: traffic.receivedBytes,
    sendQueue,
    receiveQueue,
    rtt: traffic.srttUs > 0 ? traffic.srttUs / 1e6 : undefined,
    retransmits: traffic.retransmits,
  };
}
