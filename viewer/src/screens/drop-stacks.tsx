// Where in the kernel packets were dropped: their stacks as one tree, callers first.
import type { Stacks } from "../../../store/answers.ts";
import { useData } from "../data.ts";
import { count, percent } from "../format.ts";
import { Answer, Panel } from "../parts/common.tsx";
import { Table } from "../parts/table.tsx";

/** `reason`: empty for all reasons. */
export function DropStacks(props: { reason: string }) {
  const { reason } = props;
  const found = useData<Stacks>(`stacks${reason ? `?reason=${encodeURIComponent(reason)}` : ""}`).value;
  return (
    <Panel
      title={`${reason || "All drops"}: where in the kernel`}
      right={found.state === "ready" && `${count(found.data.total)} drops`}
    >
      <Answer of={found} isEmpty={({ total }) => total === 0} empty="No such drop is stored individually.">
        {({ lines, withStack }) => (
          <>
            <Table
              label="Where in the kernel"
              rows={lines}
              keyOf={({ frame, depth }) => `${depth} ${frame}`}
              columns={[
                {
                  head: "function",
                  cell: ({ frame, depth, share }) => (
                    <span class="frame" style={{ marginLeft: `${Math.min(depth, 16) * 9}px` }}>
                      <i aria-hidden="true" style={{ width: `${share * 100}%` }} />
                      <code>{frame}</code>
                    </span>
                  ),
                },
                { head: "share", isNumber: true, cell: ({ share }) => percent(share) },
              ]}
            />
            {withStack === 0 && (
              <p class="state">
                The functions alone; <code>plugins.tcpdrop.stacks: true</code> shows who called them.
              </p>
            )}
          </>
        )}
      </Answer>
    </Panel>
  );
}
