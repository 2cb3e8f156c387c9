// Settings of earlier releases that no longer exist. Tests: config/released.test.ts.

const CRITERIA = "pid|comm|uid|cgroup|localPort|remotePort|localAddress|remoteAddress|family|direction";
const REST = "minDuration|failuresOnly|cgroupMap|mntnsMap";

const REMOVED: readonly { readonly path: RegExp; readonly why: string }[] = [
  {
    path: /^plugins\.softirqs\.filter$/,
    why: "removed in 0.2.0: softirqs belong to CPUs, and no filter applies to them; delete it",
  },
  {
    path: new RegExp(`^plugins\\.netqtop\\.filter\\.((in|ex)clude\\.(${CRITERIA})|${REST})$`),
    why: "removed in 0.2.0: netqtop can be filtered by netns only; delete it",
  },
];

/** Why a setting no longer exists, and what to do; undefined if it never existed. */
export function removal(path: string): string | undefined {
  return REMOVED.find((one) => one.path.test(path))?.why;
}
