// What a start leaves behind: the configuration as it was parsed, code that runs once, buffers of the loads.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Milliseconds; by then everything that belongs to the start is over. */
const AFTER = 4000;

/** Collects it once, soon: V8 would keep it for as long as the agent idles, because its heap does not fill. */
export function gcAfterStartup(): void {
  setTimeout(() => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    collect();
  }, AFTER).unref();
}
