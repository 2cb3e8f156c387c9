// service.instance.id, derived from what identifies an instance as the semantic conventions recommend.
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

/** Number of remembered ids, half of which are guaranteed, so that none is used twice: at most one per image. */
const remembered = 2 * 16_384;

export class Instances {
  /** By service and id, who has it, as digests: attributes may be long. */
  readonly #taken = new LruCache<string, string>(remembered);

  /**
   * The id of what has these attributes, apart from the host's: the given one, or the container's, or else one derived
   * from host, place (a cgroup) and program. Anything that differs in an attribute is another instance: if metrics are
   * identified by service and instance alone, as in Prometheus, two would be one series.
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
