// Tables: the caller sorts the rows, j and k move through them, Enter opens one.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { toggleTerm } from "../state.ts";

/** Rows that are drawn at once, and that are added when the last one comes into view. */
const ROWS = 100;

export interface Column<T> {
  readonly head: string;
  /** Distinguishes this column from another one with the same header. */
  readonly name?: string;
  readonly isNumber?: boolean;
  /** The sort key of this column, if it can be sorted. */
  readonly order?: string;
  /** A picture of all its values, below the header. */
  readonly picture?: ComponentChildren;
  readonly cell: (row: T) => ComponentChildren;
  /** The filter term for a row's value, which a click adds. */
  readonly term?: (row: T) => string | undefined;
}

export function Table<T>(props: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  onOpen?: (row: T) => void;
  /** Which rows can be opened, if not all. */
  canOpen?: (row: T) => boolean;
  order?: string;
  onOrder?: (order: string) => void;
}) {
  const { columns, rows, keyOf, onOpen, canOpen = () => true } = props;
  const [selected, select] = useState(-1);
  const [frozen, freeze] = useState<readonly T[] | undefined>(undefined);
  const [limit, setLimit] = useState(ROWS);
  const body = useRef<HTMLTableSectionElement>(null);
  // So that rows do not move under a pointer or a selection.
  const shown = frozen ?? rows;
  const fresh = frozen ? rows.filter((row) => !frozen.some((old) => keyOf(old) === keyOf(row))).length : 0;
  // Keys may be pressed faster than the page is drawn.
  const open = (row: T) => {
    if (canOpen(row)) onOpen?.(row);
  };
  const latest = useRef({ shown, selected, open, isOpened: onOpen !== undefined });
  latest.current = { ...latest.current, shown, selected, open };
  // With the rows: a key may follow at once.
  useLayoutEffect(() => {
    const move = (event: Event) => {
      const now = latest.current;
      if (!now.isOpened) return;
      now.selected += (event as CustomEvent<number>).detail;
      now.selected = Math.min(now.shown.length - 1, Math.max(0, now.selected));
      select(now.selected);
      setLimit((drawn) => Math.max(drawn, Math.ceil((now.selected + 1) / ROWS) * ROWS));
    };
    const enter = () => {
      const now = latest.current;
      const row = now.shown[now.selected];
      if (row !== undefined) now.open(row);
    };
    document.addEventListener("wirespan-move", move);
    document.addEventListener("wirespan-open", enter);
    return () => {
      document.removeEventListener("wirespan-move", move);
      document.removeEventListener("wirespan-open", enter);
    };
  }, []);
  useEffect(() => {
    body.current?.children[selected]?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <div
      class="scroll"
      tabIndex={0}
      role="group"
      aria-label={props.label}
      onPointerEnter={() => freeze(rows)}
      onPointerLeave={() => freeze(undefined)}
    >
      {fresh > 0 && <p class="fresh">{fresh} new</p>}
      <table>
        <caption class="hidden">{props.label}</caption>
        <thead>
          <tr>
            {columns.map(({ head, name = head, isNumber, order, picture }) => (
              <th
                key={name}
                scope="col"
                class={isNumber ? "number" : ""}
                {...(order && order === props.order && { "aria-sort": "descending" as const })}
              >
                {order && props.onOrder ? (
                  <button type="button" class="link" onClick={() => props.onOrder?.(order)}>
                    {head}
                    {order === props.order ? " ▾" : ""}
                  </button>
                ) : (
                  head || <span class="hidden">{name}</span>
                )}
                {picture}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.slice(0, limit).map((row, i) => (
            <tr key={keyOf(row)} class={i === selected ? "selected" : ""} onDblClick={() => open(row)}>
              {columns.map(({ head, name = head, isNumber, cell, term }, at) => (
                <td key={name} class={isNumber ? "number" : ""}>
                  <Cell
                    term={term?.(row)}
                    onOpen={at === 0 && onOpen && canOpen(row) ? () => onOpen(row) : undefined}
                  >
                    {cell(row)}
                  </Cell>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        {shown.length > limit && (
          <More
            columns={columns.length}
            count={shown.length - limit}
            onSeen={() => setLimit((drawn) => drawn + ROWS)}
          />
        )}
      </table>
    </div>
  );
}

/** Below the drawn rows, if there are more. */
function More(props: { columns: number; count: number; onSeen: () => void }) {
  const foot = useRef<HTMLTableSectionElement>(null);
  const latest = useRef(props.onSeen);
  latest.current = props.onSeen;
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && latest.current());
    observer.observe(foot.current!);
    return () => observer.disconnect();
  }, [props.count]);
  return (
    <tfoot ref={foot}>
      <tr>
        <td colSpan={props.columns}>
          <button type="button" class="link" onClick={props.onSeen}>
            {props.count} more
          </button>
        </td>
      </tr>
    </tfoot>
  );
}

function Cell(props: {
  term: string | undefined;
  onOpen: (() => void) | undefined;
  children: ComponentChildren;
}) {
  const { term, onOpen } = props;
  if (onOpen) {
    return (
      <button type="button" class="link" onClick={onOpen}>
        {props.children}
      </button>
    );
  }
  if (term === undefined) return <>{props.children}</>;
  const without = () => toggleTerm(`not ${term}`);
  return (
    <button
      type="button"
      class="value"
      title={`only ${term}; with Alt, or by x: without it`}
      onClick={({ altKey }) => (altKey ? without() : toggleTerm(term))}
      onKeyDown={({ key }) => key === "x" && without()}
    >
      {props.children}
    </button>
  );
}
