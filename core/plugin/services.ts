// What a plugin may ask the core for: `uses: { clock: services.clock }`.

import { token } from "../base/container.ts";
import type { Clock } from "../bridge/clock.ts";
import type { Interfaces } from "../bridge/interfaces.ts";
import type { Kernel } from "../bridge/kernel.ts";
import type { Connections } from "../engine/connection-spans.ts";
import type { Identity } from "../identity/identity.ts";
import type { NetnsNames } from "../identity/netns-names.ts";
import type { PidNumbers } from "../identity/pid-numbers.ts";
import type { Log } from "./log.ts";

export const services = {
  clock: token<Clock>("clock"),
  identity: token<Identity>("identity"),
  kernel: token<Kernel>("kernel"),
  namespaces: token<NetnsNames>("namespaces"),
  pids: token<Pick<PidNumbers, "inProc">>("pids"),
  connections: token<Connections>("connections"),
  interfaces: token<Interfaces>("interfaces"),
  log: token<Log>("log"),
} as const;
