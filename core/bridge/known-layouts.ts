// Layouts of built objects. In the bundle, tools/bundle.ts replaces this module with the layouts that it has read, because
// parsing the BTF of all objects takes a sixth of the agent's startup. Tests: tools/bundle.test.ts.

/** The hash of an object's layout (core/bridge/btf.ts) by the SHA-256 of its file, hexadecimal. */
export const KNOWN_LAYOUTS: Readonly<Record<string, string>> = {};
