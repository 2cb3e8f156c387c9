// The pods of this node and their containers, from its kubelet: `GET /pods`, which requires `get` of nodes/pods.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { get } from "./http.ts";
import { type Answer, type Named, readEach, type Source } from "./names.ts";

export interface KubeletSettings {
  /** `https://HOST:10250`. */
  readonly url: string;
  /** Authenticates the request; read again each time, because tokens are renewed. */
  readonly tokenFile: string;
  /** The authority that must have signed the kubelet's certificate; read again each time, too. */
  readonly caFile: string;
}

export class Kubelet implements Source {
  readonly name: string;
  readonly #settings: KubeletSettings;

  constructor(settings: KubeletSettings) {
    this.name = `the kubelet at ${settings.url}`;
    this.#settings = settings;
  }

  async ask(): Promise<Answer> {
    const { url, tokenFile, caFile } = this.#settings;
    const { request } = createRequire(import.meta.url)("node:https") as typeof import("node:https");
    const ca = readFileSync(caFile, "utf8");
    const authorization = `Bearer ${readFileSync(tokenFile, "utf8").trim()}`;
    // Not an http.Agent, which would keep a connection whose certificate is checked only once.
    const asked = request(new URL("/pods", url), { ca, agent: false, headers: { authorization } });
    return podsOf(JSON.parse(await get(asked)));
  }
}

/** The fields of `v1.PodList` that are read. */
interface PodList {
  readonly items?: readonly Pod[] | null;
}

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly Owner[];
  };
  readonly spec?: { readonly nodeName?: string };
  readonly status?: Readonly<Record<string, unknown>>;
}

interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly controller?: boolean;
}

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

const STATUSES = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];

/** Pods by uid, a static one also by the hash in its cgroup's name; containers by id. */
export function podsOf(answer: unknown): Answer {
  const { items } = (answer ?? {}) as PodList;
  if (items !== null && !Array.isArray(items)) throw new Error("its answer is not a list of pods");
  const pods = new Map<string, Named>();
  const containers = new Map<string, Named>();
  readEach<Pod>(items ?? [], (pod) => {
    readEach(statusesOf(pod), ({ name, containerID }) => {
      const id = containerID?.replace(/^.*:\/\//, "");
      if (id) containers.set(id, { "k8s.container.name": name });
    });
    const { uid, annotations } = pod.metadata;
    const named = namesOf(pod);
    for (const key of [uid, annotations?.["kubernetes.io/config.hash"]]) if (key) pods.set(key, named);
  });
  return { pods, containers };
}

function statusesOf({ status }: Pod): readonly ContainerStatus[] {
  return STATUSES.flatMap((key) => (status?.[key] as readonly ContainerStatus[] | undefined) ?? []);
}

function namesOf({ metadata, spec }: Pod): Named {
  const { name, namespace, ownerReferences, labels } = metadata;
  const owner = ownerReferences?.find(({ controller }) => controller);
  return {
    "k8s.pod.name": name,
    "k8s.namespace.name": namespace,
    ...(spec?.nodeName && { "k8s.node.name": spec.nodeName }),
    ...(owner && ownersOf(owner, labels?.["pod-template-hash"])),
  };
}

/** As the Collector's k8sattributes processor does without reading replica sets and jobs. */
function ownersOf({ kind, name }: Owner, hash: string | undefined): Named {
  switch (kind) {
    case "ReplicaSet": {
      const made = hash !== undefined && name.endsWith(`-${hash}`);
      const deployment = made && { "k8s.deployment.name": name.slice(0, -hash.length - 1) };
      return { "k8s.replicaset.name": name, ...deployment };
    }
    case "Job": {
      // A cron job appends minutes since 1970.
      const cronjob = /^(.+)-\d{8,}$/.exec(name)?.[1];
      return { "k8s.job.name": name, ...(cronjob !== undefined && { "k8s.cronjob.name": cronjob }) };
    }
    case "DaemonSet":
    case "StatefulSet":
      return { [`k8s.${kind.toLowerCase()}.name`]: name };
    default:
      return {};
  }
}
