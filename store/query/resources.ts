// What is known about resources, by the file's numbers.
import type { Database } from "../database.ts";

export type ResourceAttributes = Readonly<Record<string, string | number | boolean | readonly string[]>>;

const UNKNOWN: ResourceAttributes = {};

export class Resources {
  readonly #db: Database;
  readonly #known = new Map<number, ResourceAttributes>();

  /** What belongs to no process belongs to the host. */
  readonly #host: string | undefined;

  constructor(db: Database) {
    this.#db = db;
    this.#host = db.meta("host");
  }

  of(id: number): ResourceAttributes {
    let known = this.#known.get(id);
    if (known === undefined) {
      const text = this.#db.get("SELECT attributes FROM resource WHERE id = ?", id)?.attributes;
      if (text === undefined) return UNKNOWN;
      known = JSON.parse(String(text)) as ResourceAttributes;
      if (this.#known.size > 10_000) this.#known.clear();
      this.#known.set(id, known);
    }
    return known;
  }

  /** `namespace/name` if there is a namespace. */
  service(id: number): string {
    const {
      "service.name": name = "unknown",
      "service.namespace": namespace,
      "service.instance.id": instance,
    } = this.of(id);
    if (instance !== undefined && instance === this.#host) return "this host";
    return namespace === undefined ? String(name) : `${namespace}/${name}`;
  }

  /** The container's id as short as usual, and its service; what is in none is one node. */
  containerNode(id: number): string {
    const container = this.container(id);
    return container === undefined ? "no container" : `${this.service(id)} ${container.slice(0, 12)}`;
  }

  container(id: number): string | undefined {
    const container = this.of(id)["container.id"];
    return container === undefined ? undefined : String(container);
  }
}
