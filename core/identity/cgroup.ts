// What a cgroup's path says: container, pod, systemd service. Nobody has to be asked for it.
import { lastingPath, serviceOf } from "./systemd-unit.ts";

export interface CgroupFacts {
  /** The path that the rest was read from, without what leads out of a cgroup namespace. */
  readonly path?: string;
  /** Of it what stays the same when the same is started again. */
  readonly place?: string;
  /** All paths of the process, one for each hierarchy. */
  readonly paths?: readonly string[];
  /** The innermost container's id, as its runtime writes it (64 hex digits; Fargate: 32 and a number). */
  readonly containerId?: string;
  /** The innermost pod's uid with dashes; a static pod's is the kubelet's 32 hex digits. */
  readonly podUid?: string;
  /** The systemd service without `.service`; inside a container only a service of the container itself. */
  readonly service?: string;
}

const container = /^(.*[-:])?([0-9a-f]{64})(\.scope)?$/;
const fargate = /^[0-9a-f]{32}-\d+$/;
const pod =
  /(?:^|[-/])pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?=$|:)/;

/** Reads one path, e.g. `/system.slice/docker-<id>.scope`. */
export function pathFacts(path: string): CgroupFacts {
  const segments = path
    .replace(/ \(deleted\)$/, "")
    .split("/")
    .filter((segment) => segment !== "" && segment !== "..");
  const podAt = segments.findLastIndex((segment) => pod.test(segment));
  const idAt = segments.findLastIndex(
    (segment) => container.test(segment) || (segments[0] === "ecs" && fargate.test(segment)),
  );
  const [, owner = "", id] = container.exec(segments[idAt] ?? "") ?? ["", "", segments[idAt]];
  // A container around the pod's node (kind, minikube) is not the pod's, and conmon stands outside of
  // the container that it watches.
  const inContainer = idAt >= 0 && idAt >= podAt && !owner.includes("conmon");
  const podUid = pod.exec(segments[podAt] ?? "")?.[1]?.replaceAll("_", "-");
  // Podman puts the container of a Quadlet unit into that unit's own cgroup.
  const outside = owner === "libpod-payload-" ? 0 : Math.max(idAt, podAt) + 1;
  const service = serviceOf(segments.slice(outside));
  return {
    path: `/${segments.join("/")}`,
    place: lastingPath(segments),
    ...(inContainer && id !== undefined && { containerId: id }),
    ...(podUid !== undefined && { podUid }),
    ...(service !== undefined && { service }),
  };
}

/**
 * Reads all of /proc/PID/cgroup. With cgroup v1 and on hybrid hosts the lines differ: the first that
 * names a container or pod counts, cgroup v2 before systemd's own hierarchy before the others.
 */
export function cgroupFacts(text: string): CgroupFacts {
  const all = lines(text)
    .sort((a, b) => a.rank - b.rank)
    .map(({ path }) => pathFacts(path));
  const facts =
    all.find(({ containerId, podUid }) => containerId !== undefined || podUid !== undefined) ??
    all.find(({ service }) => service !== undefined) ??
    all[0] ??
    {};
  return { ...facts, paths: all.flatMap(({ path }) => path ?? []) };
}

/** The path in the cgroup v2 hierarchy, undefined where a process has none. */
export function unifiedPath(text: string): string | undefined {
  return lines(text).find(({ rank }) => rank === 0)?.path;
}

interface Line {
  readonly rank: 0 | 1 | 2;
  readonly path: string;
}

function lines(text: string): Line[] {
  return text.split("\n").flatMap((line) => {
    const [, number, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    return [{ rank: number === "0" ? 0 : controllers === "name=systemd" ? 1 : 2, path }];
  });
}
