// One object for each workload: sinks group by identity, so equal attributes are the same Resource.
import type { AttributeValue, Resource } from "../plugin/signals.ts";

export class Resources {
  // Held weakly: any series or span of a workload that still exists keeps its Resource alive, and so unique.
  readonly #known = new Map<string, WeakRef<Resource>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    if (this.#known.get(key)?.deref() === undefined) this.#known.delete(key);
  });

  /** The Resource with these attributes, in any order. */
  of(attributes: Readonly<Record<string, AttributeValue>>): Resource {
    const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(entries);
    const known = this.#known.get(key)?.deref();
    if (known !== undefined) return known;
    const resource: Resource = { attributes: Object.freeze(Object.fromEntries(entries)) };
    this.#known.set(key, new WeakRef(resource));
    this.#gone.register(resource, key);
    return resource;
  }
}
