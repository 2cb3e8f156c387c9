// All dashboards.
import { agent } from "./agent.ts";
import { host } from "./host.ts";
import { latency } from "./latency.ts";
import { listeners } from "./listeners.ts";
import { losses } from "./losses.ts";
import { overview } from "./overview.ts";
import type { Subject } from "./panels.ts";

export const SUBJECTS: readonly Subject[] = [overview, latency, losses, listeners, host, agent];
