// Imported before the package, so that what it does every 10 seconds happens every 20 milliseconds.
const { setInterval: original } = globalThis;
globalThis.setInterval = /** @type {typeof setInterval} */ (
  (/** @type {() => void} */ work, /** @type {number} */ delay) =>
    original(work, delay === 10_000 ? 20 : delay)
);
