// node --import @wirespan/correlate: labels this thread's connections from here on.
import { announce, announced } from "./src/announce.js";
import { watchConnects } from "./src/connects.js";
import { failures, guarded } from "./src/guard.js";
import { watchHttp } from "./src/http.js";
import { watchHttp2 } from "./src/http2.js";
import { watchIoredis } from "./src/ioredis.js";
import { counts, label } from "./src/label.js";
import { watchNodeRedis } from "./src/node-redis.js";
import { watchPg } from "./src/pg.js";
import { fromSpanContext } from "./src/traceparent.js";
import { watchUndici } from "./src/undici.js";
import { labelAllWrites, own as leave, watchWrites } from "./src/writes.js";

const off = process.env.WIRESPAN_CORRELATE === "off" || process.platform !== "linux";

// A second copy of this package in the same thread would hook everything twice, so it uses the first one.
const FIRST = Symbol.for("wirespan.correlate.1");
const copies = /** @type {{ [FIRST]?: typeof own }} */ (/** @type {unknown} */ (globalThis));
const own = {
  /** @type {typeof import("./register.js").setContext} */
  setContext(socket, context) {
    if (off) return;
    guarded(leave, socket);
    label(socket, guarded(fromSpanContext, context));
  },
  /** @type {typeof import("./register.js").status} */
  status() {
    return {
      enabled: !off,
      announcements: announced.count,
      contexts: counts.contexts,
      slots: counts.slots,
      failures: failures.count,
      lastFailure: failures.last,
    };
  },
};
const first = copies[FIRST];

export const { setContext, status } = first ?? own;

if (!first && !off) {
  copies[FIRST] = own;
  if (process.env.WIRESPAN_CORRELATE_WRITES === "1") guarded(labelAllWrites);
  const requests = [watchConnects, watchWrites, watchHttp, watchUndici, watchHttp2];
  for (const watch of [...requests, watchPg, watchNodeRedis, watchIoredis]) guarded(watch);
  await announce();
}
