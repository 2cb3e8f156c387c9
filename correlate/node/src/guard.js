// Neither an error in this package nor an unusual argument that an application passes to Node may affect the
// application: every hook runs guarded.

/** What went wrong in hooks: how often, and the last error. */
export const failures = { count: 0, last: /** @type {unknown} */ (undefined) };

/**
 * Runs `hook`; errors that it throws are counted and go no further.
 * @template {unknown[]} A
 * @template R
 * @param {(...args: A) => R} hook
 * @param {A} args
 * @returns {R | undefined}
 */
export function guarded(hook, ...args) {
  try {
    return hook(...args);
  } catch (error) {
    failures.count++;
    failures.last = error;
    return undefined;
  }
}

/**
 * Replaces a method with `around(original)`, and keeps its name and length.
 * @param {object | undefined} owner
 * @param {string} name
 * @param {(original: Method) => Method} around
 */
export function wrap(owner, name, around) {
  const methods = /** @type {Record<string, Method & { [WRAPPED]?: true }>} */ (owner ?? {});
  const original = methods[name];
  if (typeof original !== "function" || original[WRAPPED]) return;
  const wrapped = around(original);
  Object.defineProperties(wrapped, {
    name: { value: original.name, configurable: true },
    length: { value: original.length, configurable: true },
    [WRAPPED]: { value: true },
  });
  methods[name] = wrapped;
}

const WRAPPED = Symbol("wirespan.wrapped");

/** @typedef {(this: unknown, ...args: unknown[]) => unknown} Method */
