// What a plugin may ask the core for: `uses: { clock: services.clock }`.
import type { Clock } from "./clock.ts";
import type { Connections } from "./connections.ts";
import { token } from "./container.ts";
import type { Identity } from "./identity/identity.ts";
import type { Interfaces } from "./interfaces.ts";
import type { Kernel } from "./kernel.ts";
import type { Log } from "./log.ts";
import type { NetnsNames } from "./netns-names.ts";
import type { PidNumbers } from "./pid-numbers.ts";

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
