// service.instance.id as the semantic conventions make one from what identifies an instance anyway.
import { createHash } from "node:crypto";
import { LruCache } from "../plugin/lru.ts";
import type { AttributeValue } from "../plugin/signals.ts";

/** The conventions' namespace for service.instance.id. */
const namespace = Buffer.from("4d63009a8d0f11eeaad74c796ed8e320", "hex");

/** A UUID version 5 (RFC 9562): the same for the same parts, on any host and at any time. */
export function instanceId(...parts: readonly string[]): string {
  const hash = createHash("sha1").update(namespace).update(JSON.stringify(parts)).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString("hex", 0, 16);
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((to, i) => hex.slice(cuts[i], to))
    .join("-");
}

const digest = (text: string): string => createHash("sha1").update(text).digest("base64");

type Attributes = Readonly<Record<string, AttributeValue>>;

/** Ids that are remembered, half as many for certain, so that none is given to two: one for each image at most. */
const remembered = 2 * 16_384;

export class Instances {
  /** By service and id what has it, as digests: attributes may be long. */
  readonly #taken = new LruCache<string, string>(remembered);

  /**
   * The id of what has these attributes, the host's apart: the one that was said, or the container's, else one of the host, the place
   * (a cgroup) and the program. What differs in any attribute is another instance: where metrics are known by service
   * and instance alone, as in Prometheus, two would be one series.
   */
  of(attributes: Attributes, said: string | undefined, [host, place, program]: readonly string[]): string {
    const { "service.instance.id": _, ...others } = attributes;
    const whole = JSON.stringify(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1)));
    const id = said ?? instanceId(host!, place!, program!, whole);
    const key = JSON.stringify([attributes["service.namespace"], attributes["service.name"], id]);
    const [digestOfKey, mine] = [digest(key), digest(whole)];
    const holder = this.#taken.get(digestOfKey);
    if (holder === undefined) this.#taken.set(digestOfKey, mine);
    return holder === undefined || holder === mine ? id : instanceId(id, whole);
  }
}
