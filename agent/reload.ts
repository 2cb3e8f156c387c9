// `wirespan reload` and SIGHUP: loads the configuration again and applies what can be changed. Tests:
// test/system/reload.kernel.test.ts.
import type { Config } from "../config/config.ts";
import { UNCHANGED } from "../config/source.ts";
import type { FailedPlugin } from "../core/engine/attach.ts";
import type { Engine } from "../core/engine/engine.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { Fanout } from "../exporters/fanout.ts";

/** Loads the configuration again from its sources. */
export type Reread = () => Promise<{
  readonly config: Config;
  readonly plugins: readonly Plugin[];
  readonly failed: readonly FailedPlugin[];
}>;

/** Reloads; the result lists what changed, in words. */
export type Reload = () => Promise<readonly string[]>;

/** The sections that a reload applies; changes of others take effect at the next start. */
const RELOADED: readonly string[] = [
  "plugins",
  "filter",
  "correlate",
  "sampling",
  "effective",
] satisfies (keyof Config)[];

/** Why a reload was rejected, in one sentence for the log and the caller. */
function rejection(cause: unknown): WirespanError {
  const { code = "UNEXPECTED", message, detail } = cause as Partial<WirespanError> & Error;
  const said = message.includes(UNCHANGED) ? message : `${message.replace(/\.$/, "")}; ${UNCHANGED}.`;
  return new WirespanError(code, said, { cause, ...(detail !== undefined && { detail }) });
}

/** One reload at a time. An error of the new configuration is logged and thrown, and changes nothing. */
export function createReload(
  config: Config,
  engine: Engine,
  fanout: Fanout,
  log: Log,
  reread: Reread,
): Reload {
  const run = async () => {
    try {
      const next = await reread();
      const [failed] = next.failed;
      if (failed) throw failed.error;
      const renewed = await fanout.refresh();
      const changes = await engine.reload(next.config, next.plugins);
      const fixed = (Object.keys(config) as (keyof Config)[]).filter((key) => !RELOADED.includes(key));
      const waiting = fixed.filter((key) => JSON.stringify(next.config[key]) !== JSON.stringify(config[key]));
      const said = [
        ...changes,
        ...renewed,
        ...waiting.map((key) => `${key}: changed; takes effect at the next start`),
      ];
      log.info({ changes: said }, "configuration reloaded");
      return said;
    } catch (error) {
      const wrong = rejection(error);
      log.error({ ...(wrong.detail !== undefined && { detail: wrong.detail }) }, wrong.message);
      throw wrong;
    }
  };
  let last: Promise<readonly string[]> = Promise.resolve([]);
  return () => {
    last = last.catch(() => {}).then(run);
    return last;
  };
}
