// Creates a process's Resource from what is known about the process.
import type { AttributeValue, Resource } from "../plugin/signals.ts";
import type { CgroupFacts } from "./cgroup.ts";
import { type HostAttributes, hostIdOf } from "./host.ts";
import { Instances } from "./instance.ts";
import { withoutVersion } from "./interpreters.ts";
import type { Names } from "./names/names.ts";
import { given, ownOf, workloadOf } from "./own.ts";
import type { ProcessFacts } from "./proc.ts";
import { Resources } from "./resources.ts";
import { argumentPatterns, firstRule, type Rule } from "./rules.ts";

/** The available facts. */
export interface Known {
  /** The executable's base name; may be empty. */
  readonly executable: string;
  readonly comm: string;
  readonly cgroupId: number;
  readonly cgroup: CgroupFacts;
  /** Absent: its environment and command line were not read. */
  readonly facts?: ProcessFacts;
  /** The ports that it listens on; read if a rule has a port. */
  ports(): ReadonlySet<number>;
}

export class Composer {
  readonly #host: HostAttributes;
  readonly #rules: readonly Rule[];
  readonly #debug: (message: string) => void;
  readonly #names: Pick<Names, "of"> | undefined;
  readonly #resources = new Resources();
  readonly #instances = new Instances();
  /** Distinguishes this host from others. */
  readonly #hostId: string;

  constructor(
    host: HostAttributes,
    rules: readonly Rule[],
    debug: (message: string) => void,
    names?: Pick<Names, "of">,
  ) {
    this.#host = host;
    this.#rules = rules;
    this.#debug = debug;
    this.#names = names;
    this.#hostId = hostIdOf(host);
  }

  /** The Resource; equal attributes are the same object. */
  resource(known: Known): Resource {
    const { cgroup, facts } = known;
    const said = { environment: facts?.environment, published: facts?.published?.resource };
    const own = ownOf(said, cgroup.podUid !== undefined);
    const unread = facts?.unpublishable;
    const faults =
      unread === undefined ? own.faults : [...own.faults, `what it publishes is ignored: ${unread}`];
    for (const fault of faults) this.#debug(`pid ${facts?.pid}: ${fault}`);
    const rule = this.#rules.length > 0 ? this.#rule(known) : undefined;
    const program =
      given(facts?.program) ?? given(withoutVersion(known.executable)) ?? commName(facts?.comm ?? known.comm);
    const namespace = rule?.namespace ?? own.attributes["service.namespace"];
    const named = this.#names?.of(cgroup.containerId, cgroup.podUid) ?? {};
    const name =
      rule?.name ?? own.name ?? workloadOf(named) ?? cgroup.service ?? given(program) ?? "unknown_service";
    const attributes: Record<string, AttributeValue> = {
      ...own.attributes,
      ...named,
      ...(cgroup.containerId !== undefined && { "container.id": cgroup.containerId }),
      ...(cgroup.podUid !== undefined && { "k8s.pod.uid": cgroup.podUid }),
      ...(namespace !== undefined && { "service.namespace": namespace }),
      "service.name": name,
    };
    const place = cgroup.place ?? `${known.cgroupId}`;
    const instanceSaid = given(own.attributes["service.instance.id"]) ?? cgroup.containerId;
    const instance = this.#instances.of(attributes, instanceSaid, [this.#hostId, place, program]);
    return this.#resources.of({ ...this.#host, ...attributes, "service.instance.id": instance });
  }

  #rule({ executable, comm, cgroup, facts, ports }: Known): Rule | undefined {
    let listening: ReadonlySet<number> | undefined;
    const patterns = argumentPatterns(this.#rules);
    return firstRule(this.#rules, {
      executable,
      comm: facts?.comm ?? comm,
      cgroups: cgroup.paths ?? [],
      hasArgument: (rule) => facts?.command?.matched.has(patterns.indexOf(rule.argument!)) ?? false,
      listensOn: (port) => {
        listening ??= ports();
        return listening.has(port);
      },
    });
  }
}

/** A comm without the part after a slash: that of kworker/3:1 varies. */
export function commName(comm: string): string {
  return comm.split("/", 1)[0] || comm;
}
