// Derives container, pod and systemd service from a cgroup's path alone.
import { serviceOf, stablePath } from "./systemd-unit.ts";

export interface CgroupFacts {
  /** The path from which the rest was derived, without the part that leads out of a cgroup namespace. */
  readonly path?: string;
  /** The part of it that stays the same across restarts. */
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

/** Parses one path, for example `/system.slice/docker-<id>.scope`. */
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
  // A container around the pod's node (kind, minikube) is not the pod's, and conmon runs outside of the container that
  // it monitors.
  const inContainer = idAt >= 0 && idAt >= podAt && !owner.includes("conmon");
  const podUid = pod.exec(segments[podAt] ?? "")?.[1]?.replaceAll("_", "-");
  // Podman puts the container of a Quadlet unit into that unit's own cgroup.
  const outside = owner === "libpod-payload-" ? 0 : Math.max(idAt, podAt) + 1;
  const service = serviceOf(segments.slice(outside));
  return {
    path: `/${segments.join("/")}`,
    place: stablePath(segments),
    ...(inContainer && id !== undefined && { containerId: id }),
    ...(podUid !== undefined && { podUid }),
    ...(service !== undefined && { service }),
  };
}

/**
 * Parses all of /proc/PID/cgroup. With cgroup v1 and on hybrid hosts the lines differ: the first one that names a
 * container or pod counts; cgroup v2 comes before systemd's own hierarchy, and that before the others.
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

/** The path in the cgroup v2 hierarchy; undefined if the process has none. */
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
