import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { assert as always, array, constantFrom, integer, property, record } from "fast-check";
import { label, reclaim } from "../src/label.js";
import { slotOf, table } from "../src/table.js";
import { Reader } from "./reader.js";

const PORTS = { localPort: 50_001, remotePort: 8443 };
const slot = slotOf(PORTS.localPort, PORTS.remotePort);
let contexts = 0;

/** Three connections with the same ports to three peers: all in one slot. */
function connections(): Socket[] {
  return [1, 2, 3].map((peer) => {
    const addresses = { localAddress: "10.0.0.1", remoteAddress: `10.0.1.${peer}` };
    const socket = Object.assign(new EventEmitter(), {
      ...PORTS,
      ...addresses,
      connecting: false,
      _handle: {},
    });
    return socket as unknown as Socket;
  });
}

function fresh(): string {
  contexts++;
  return `00-${"f".repeat(31)}e-${String(contexts).padStart(16, "0")}-01`;
}

describe("correlate/node: a shared slot", () => {
  it("never shows a connection another one's context, and shows its own until another connection uses the slot", () => {
    const step = record({
      who: integer({ min: 0, max: 2 }),
      what: constantFrom("name", "name", "end", "close", "reclaim", "send"),
    });
    always(
      property(array(step, { maxLength: 60 }), (steps) => {
        const sockets = connections();
        const reader = new Reader(table);
        reader.read(slot);
        /** By connection: its contexts since it last sent, and whether another connection has owned the slot since. */
        const given: string[][] = [[], [], []];
        const all: Set<string>[] = [new Set(), new Set(), new Set()];
        const disturbed = [true, true, true];
        for (const { who, what } of steps) {
          const socket = sockets[who]!;
          if (what === "name") {
            const text = fresh();
            label(socket, text);
            given[who]!.push(text);
            all[who]!.add(text);
            for (const other of [0, 1, 2]) if (other !== who) disturbed[other] = true;
          } else if (what === "end") {
            label(socket, undefined);
            disturbed[who] = true;
          } else if (what === "close") {
            socket.emit("close");
            sockets[who] = connections()[who]!;
            all[who]!.clear();
            given[who] = [];
            disturbed[who] = true;
          } else {
            if (what === "reclaim") {
              reclaim(socket);
              for (const other of [0, 1, 2]) if (other !== who) disturbed[other] = true;
            }
            const found = reader.read(slot);
            if (found?.remote.endsWith(`0a00010${who + 1}`)) {
              for (const text of found.contexts)
                assert.ok(all[who]!.has(text), "a context of another connection");
              if (!disturbed[who]) assert.deepEqual(found.contexts, given[who]!.slice(-7));
            }
            if (found) disturbed[who] = !found.remote.endsWith(`0a00010${who + 1}`);
            given[who] = [];
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
