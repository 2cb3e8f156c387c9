// What the SDK reports only to its diagnostic logger.
import { DiagLogLevel, diag } from "@opentelemetry/api";
import type { Log } from "../../core/plugin/log.ts";
import { type PartialSuccess, readAnswer } from "../otlp/deliver/response.ts";

/** The partial success of the request that the SDK is about to report; each only once. */
export interface PartialSuccesses {
  take(): PartialSuccess;
}

const NONE: PartialSuccess = { rejected: 0, message: "" };

/**
 * The SDK's exporters report a partial success only to the logger, right before they call back: so it belongs to the
 * next callback. Everything else they log is for debugging.
 */
export function listenToSdk(log: Log): PartialSuccesses {
  let last = NONE;
  const say = (message: string, ...rest: unknown[]): void => {
    if (message === "Received Partial Success response:" && typeof rest[0] === "string") {
      const body = Buffer.from(`{"partialSuccess":${rest[0]}}`);
      last = readAnswer(body, Number.MAX_SAFE_INTEGER) ?? { rejected: Number.NaN, message: rest[0] };
    } else {
      log.debug({ sdk: rest.map(String).join(" ").slice(0, 500) }, message);
    }
  };
  diag.setLogger(
    { error: say, warn: say, info: say, debug: say, verbose: say },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  return {
    take() {
      const taken = last;
      last = NONE;
      return taken;
    },
  };
}
