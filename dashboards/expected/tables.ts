// What every panel must show after the traffic of test/support/dashboard-traffic.ts, by dashboard.
import { agent } from "./agent.ts";
import { host } from "./host.ts";
import type { Table } from "./known.ts";
import { latency } from "./latency.ts";
import { listeners } from "./listeners.ts";
import { losses } from "./losses.ts";
import { overview } from "./overview.ts";

export const TABLES: Readonly<Record<string, Table>> = {
  "wirespan-services": overview,
  "wirespan-latency": latency,
  "wirespan-losses": losses,
  "wirespan-listeners": listeners,
  "wirespan-host": host,
  "wirespan-agent": agent,
};
