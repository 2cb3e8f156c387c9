// The queues of interfaces, and which of them has more than its fair share.
import type { Queue } from "../../../store/answers.ts";
import { bytes, count, percent, short } from "../format.ts";
import { Bar, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";

/** Maximum number of drawn interfaces with several queues. */
const MOST = 6;

/** One queue's two directions. */
interface Pair {
  readonly id: number;
  readonly receive?: Queue | undefined;
  readonly transmit?: Queue | undefined;
}

interface Device {
  readonly name: string;
  readonly netns: string;
  readonly queues: readonly Pair[];
  readonly packets: Readonly<Record<Direction, number>>;
  /** Queues that a direction uses, each with a fair share. */
  readonly used: Readonly<Record<Direction, number>>;
  /** The largest share relative to the fair one. */
  readonly unfair: number;
}

type Direction = "receive" | "transmit";

function devicesOf(queues: readonly Queue[]): readonly Device[] {
  return [...Map.groupBy(queues, (queue) => `${queue.netns}\n${queue.interface}`).values()]
    .map((all): Device => {
      const [{ interface: name, netns }] = all as [Queue];
      const of = (direction: Direction) => all.filter((queue) => queue.direction === direction);
      const sum = (direction: Direction) => of(direction).reduce((total, { packets }) => total + packets, 0);
      const packets = { receive: sum("receive"), transmit: sum("transmit") };
      const used = { receive: of("receive").length, transmit: of("transmit").length };
      const excess = ({ direction, packets: n }: Queue) =>
        (n / Math.max(1, packets[direction as Direction])) * used[direction as Direction];
      return {
        ...{ name, netns, packets, used },
        queues: [...Map.groupBy(all, ({ queue }) => queue)]
          .map(([id, both]) => ({
            id,
            receive: both.find(({ direction }) => direction === "receive"),
            transmit: both.find(({ direction }) => direction === "transmit"),
          }))
          .sort((a, b) => a.id - b.id),
        unfair: Math.max(...all.map(excess)),
      };
    })
    .sort(
      (a, b) =>
        b.unfair - a.unfair ||
        b.packets.receive + b.packets.transmit - a.packets.receive - a.packets.transmit,
    );
}

export function Queues(props: { queues: readonly Queue[]; failures: number }) {
  const devices = devicesOf(props.queues);
  const several = devices.filter(({ queues }) => queues.length > 1);
  const single = devices.filter(({ queues }) => queues.length === 1);
  return (
    <>
      {several.slice(0, MOST).map((device) => (
        <DeviceQueues key={`${device.netns} ${device.name}`} device={device} />
      ))}
      {(single.length > 0 || several.length === 0) && <Single devices={single} />}
      {props.failures > 0 && (
        <p class="notice bad">{count(props.failures)} frames were not accepted by a driver.</p>
      )}
    </>
  );
}

function DeviceQueues(props: { device: Device }) {
  const { name, netns, queues, packets, used, unfair } = props.device;
  const cells = (direction: Direction) => {
    const share = (pair: Pair) => (pair[direction]?.packets ?? 0) / Math.max(1, packets[direction]);
    const fair = 1 / Math.max(1, used[direction]);
    const isUnfair = (pair: Pair) => share(pair) >= Math.min(0.95, 2 * fair);
    return [
      {
        head: direction,
        cell: (pair: Pair) => (
          <Bar
            share={share(pair)}
            mark={fair}
            tone={isUnfair(pair) ? "bad" : direction === "transmit" ? "second" : undefined}
          />
        ),
      },
      {
        head: "share",
        name: `${direction} share`,
        isNumber: true,
        cell: (pair: Pair) => (
          <span
            class={isUnfair(pair) ? "bad" : ""}
          >{`${isUnfair(pair) ? "▲ " : ""}${percent(share(pair))}`}</span>
        ),
      },
    ];
  };
  const meanSize = ({ receive, transmit }: Pair) => {
    const n = (receive?.packets ?? 0) + (transmit?.packets ?? 0);
    return n > 0 ? Math.round(((receive?.bytes ?? 0) + (transmit?.bytes ?? 0)) / n) : undefined;
  };
  return (
    <Panel
      title={`${name} by queue`}
      label={`${name} of ${netns} by queue`}
      note={`${netns}; dotted: fair share`}
      right={unfair >= 2 && <span class="tag bad">◆ {short(unfair)} × fair</span>}
    >
      <Table
        label={`Queues of ${name} of ${netns}`}
        rows={queues}
        keyOf={({ id }) => String(id)}
        columns={[
          { head: "queue", cell: ({ id }) => id },
          ...cells("receive"),
          ...cells("transmit"),
          { head: "mean size", isNumber: true, cell: (pair) => bytes(meanSize(pair)) },
        ]}
      />
    </Panel>
  );
}

function Single(props: { devices: readonly Device[] }) {
  const of = (direction: Direction) => (device: Device) => device.queues[0]?.[direction];
  const [receive, transmit] = [of("receive"), of("transmit")];
  return (
    <Panel title="Interfaces with one queue">
      {props.devices.length === 0 ? (
        <p class="state">No frames passed an interface in this range; loopback is left out.</p>
      ) : (
        <Table
          label="Interfaces with one queue"
          rows={props.devices.slice(0, 20)}
          keyOf={({ name, netns }) => `${netns} ${name}`}
          columns={[
            {
              head: "interface",
              cell: ({ name, netns }) => (
                <>
                  <b>{name}</b> <span class="dim">{netns}</span>
                </>
              ),
            },
            { head: "received", isNumber: true, cell: (device) => count(receive(device)?.packets) },
            {
              head: "",
              name: "received bytes",
              isNumber: true,
              cell: (device) => bytes(receive(device)?.bytes),
            },
            { head: "sent", isNumber: true, cell: (device) => count(transmit(device)?.packets) },
            {
              head: "",
              name: "sent bytes",
              isNumber: true,
              cell: (device) => bytes(transmit(device)?.bytes),
            },
          ]}
        />
      )}
    </Panel>
  );
}
