// The frame around every screen: the rail, the filter, the range, the keys.
import { useEffect, useRef, useState } from "preact/hooks";
import type { AgentSummary } from "../../../store/agent-answers.ts";
import type { Common, Meta } from "../../../store/answers.ts";
import { type Loaded, trouble } from "../data.ts";
import { bytes, clock, count, duration } from "../format.ts";
import {
  filter,
  go,
  href,
  now,
  parameter,
  path,
  range,
  termsOf,
  theme,
  toggleTerm,
  toggleTheme,
} from "../state.ts";
import { LinkButton, Save } from "./save.tsx";

/** Screens in the order of the rail, with their keys and the paths of their icons. */
export const SCREENS = [
  ["/", "Overview", "o", "M2 11h4l2-6 4 10 2-4h4"],
  ["/connections", "Connections", "c", "M3 5h14M3 10h14M3 15h14"],
  ["/latency", "Latency", "l", "M4 4h4v4H4zM12 4h4v4h-4zM8 8h4v4H8zM12 12h4v4h-4z"],
  [
    "/topology",
    "Topology",
    "t",
    "M6 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0zm12-5a2 2 0 1 1-4 0 2 2 0 0 1 4 0zm0 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM6 9l8-3M6 11l8 3",
  ],
  ["/losses", "Losses", "d", "M10 3v9M6 9l4 4 4-4M3 17h14"],
  ["/listeners", "Listeners", "q", "M3 5h9M3 10h9M3 15h9M16 4v12"],
  [
    "/host",
    "CPU & queues",
    "s",
    "M5 5h10v10H5zM8 8h4v4H8zM8 2v3M12 2v3M8 15v3M12 15v3M2 8h3M2 12h3M15 8h3M15 12h3",
  ],
  ["/agent", "Agent", "a", "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 6v4l3 2"],
] as const;

export function Rail(props: { findings: number; meta: Loaded<Meta> }) {
  const meta = props.meta.state === "ready" ? props.meta.data : undefined;
  const { keptFrom } = meta ?? {};
  return (
    <nav aria-label="Screens">
      <p class="brand">
        <img src="/icon.svg" alt="" width="22" height="22" /> wirespan
      </p>
      {SCREENS.map(([to, name, key, icon]) => (
        <a
          key={to}
          href={href(to)}
          {...(path.value === to && { "aria-current": "page" as const })}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey) return;
            event.preventDefault();
            go({}, to);
          }}
        >
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d={icon} />
          </svg>
          {name}
          {to === "/" && props.findings > 0 && <span class="badge">{props.findings}</span>}
          <kbd>{key}</kbd>
        </a>
      ))}
      <div class="foot">
        <b>{meta?.host ?? "this host"}</b> {meta?.kernel}
        <br />
        {meta?.agent && <AgentLines agent={meta.agent} />}
        {meta && (
          <>
            kept: {bytes(meta.used)}
            <br />
          </>
        )}
        {keptFrom?.calm !== undefined && (
          <>
            connections: {duration(now.value - keptFrom.calm)}
            <br />
          </>
        )}
        {keptFrom?.sums !== undefined && (
          <>
            sums: {duration(now.value - keptFrom.sums)}
            <br />
          </>
        )}
        <button type="button" class="link" onClick={toggleTheme}>
          {theme.value === "dark" ? "light" : "dark"} theme
        </button>
      </div>
    </nav>
  );
}

function AgentLines(props: { agent: AgentSummary }) {
  const { plugins, lost, living } = props.agent;
  const running = plugins.filter(({ state }) => state !== "failed").length;
  return (
    <>
      <span class={running < plugins.length ? "alarm" : ""}>
        {running} of {plugins.length} plugins run
      </span>
      <br />
      <span class={lost > 0 ? "alarm" : ""}>lost: {count(lost)}</span>
      <br />
      open now: {count(living)}
      <br />
    </>
  );
}

const RANGES = [
  [300, "5 min"],
  [900, "15 min"],
  [3600, "1 h"],
  [7200, "2 h"],
  [86_400, "24 h"],
] as const;

export function Top() {
  const { from, to, isLive, length } = range.value;
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    const focus = () => input.current?.focus();
    document.addEventListener("wirespan-filter", focus);
    return () => document.removeEventListener("wirespan-filter", focus);
  }, []);
  return (
    <div class="top">
      <form
        class="filter"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) go({ q: `${filter.value} ${text.trim()}`.trim() });
          setText("");
        }}
      >
        {termsOf(filter.value).map((term) => (
          <button
            type="button"
            key={term}
            class={term.startsWith("not ") ? "chip not" : "chip"}
            title="remove"
            onClick={() => toggleTerm(term)}
          >
            {term} ✕
          </button>
        ))}
        <input
          ref={input}
          type="text"
          aria-label="Filter"
          placeholder={
            filter.value ? "" : "Filter: service:web  peer:10.0.0.0/8  connect>800ms  not process:curl"
          }
          value={text}
          spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
            if (event.key === "Backspace" && text === "" && filter.value)
              toggleTerm(termsOf(filter.value).at(-1)!);
          }}
        />
        <kbd>/</kbd>
      </form>
      <select
        aria-label="Range"
        value={isLive ? String(length) : "fixed"}
        onChange={(event) => go({ last: event.currentTarget.value, from: undefined, to: undefined })}
      >
        {!isLive && (
          <option value="fixed">
            {clock(from, "minutes")} – {clock(to, "minutes")}
          </option>
        )}
        {RANGES.map(([seconds, name]) => (
          <option key={seconds} value={String(seconds)}>
            last {name}
          </option>
        ))}
      </select>
      <button
        type="button"
        class={isLive ? "button on" : "button"}
        aria-pressed={isLive}
        onClick={() =>
          isLive
            ? go({ from: Math.floor(from), to: Math.ceil(to), last: undefined })
            : go({ from: undefined, to: undefined })
        }
      >
        <span class={isLive ? "dot live" : "dot"} aria-hidden="true" /> Live
      </button>
      <Save />
      <LinkButton />
    </div>
  );
}

export function Trouble() {
  if (trouble.value === undefined) return null;
  return (
    <p class="trouble" role="alert">
      {trouble.value}
    </p>
  );
}

/** The notice for a data source that is a recording, sampled, or still empty. */
export function Notice(props: { meta: Loaded<Meta> & { data?: Meta & Common } }) {
  const { meta } = props;
  if (meta.state !== "ready") return null;
  if (meta.data.isRecording)
    return <p class="notice">This is a recording: {meta.data.file}. Nothing of it changes.</p>;
  if (meta.data.isEmpty)
    return (
      <p class="notice">
        Watching since {clock(meta.data.started)}: no connection has ended yet
        {meta.data.agent && `, ${count(meta.data.agent.living)} are open`}.
      </p>
    );
  return null;
}

/** Keys that work on every screen; `?` lists them. */
export function useKeys(help: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      // Escape closes it, and all other keys go to the dialog as well.
      if (target.closest("dialog") || document.querySelector("dialog[open]")) return;
      if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName))
        return;
      const screen = SCREENS.find(([, , key]) => key === event.key);
      const { from, to, length, isLive } = range.value;
      const shift = (by: number) =>
        go({ from: Math.floor(from + by * length), to: Math.ceil(to + by * length), last: undefined });
      const zoom = (factor: number) => {
        if (isLive) go({ last: Math.max(60, Math.round(length * factor)) });
        else {
          const middle = (from + to) / 2;
          go({
            from: Math.floor(middle - (length * factor) / 2),
            to: Math.ceil(middle + (length * factor) / 2),
          });
        }
      };
      const actions: Record<string, () => void> = {
        "/": () => document.dispatchEvent(new Event("wirespan-filter")),
        "[": () => shift(-0.5),
        "]": () => shift(0.5),
        "-": () => zoom(2),
        "+": () => zoom(0.5),
        r: () => go({ from: undefined, to: undefined }),
        Escape: () =>
          go({
            from: undefined,
            to: undefined,
            t0: undefined,
            t1: undefined,
            least: undefined,
            most: undefined,
          }),
        j: () => document.dispatchEvent(new CustomEvent("wirespan-move", { detail: 1 })),
        k: () => document.dispatchEvent(new CustomEvent("wirespan-move", { detail: -1 })),
        Enter: () => {
          if (!/^(A|BUTTON)$/.test(target.tagName)) document.dispatchEvent(new Event("wirespan-open"));
        },
        e: () => document.querySelector<HTMLElement>(".save a")?.click(),
        v: () => go({ view: parameter("view") === "table" ? undefined : "table" }),
        "?": help,
      };
      const action = screen ? () => go({}, screen[0]) : actions[event.key];
      if (action === undefined) return;
      if (event.key !== "Enter") event.preventDefault();
      action();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [help]);
}

const KEYS = [
  ["o c l t d q s a", "open a screen"],
  ["/", "edit the filter"],
  ["[ ]", "move the range earlier, later"],
  ["- +", "make the range longer, shorter"],
  ["r", "return to live"],
  ["j k", "go to the next, the previous row or connection"],
  ["Enter", "open the row"],
  ["Alt + click", "show rows without this value"],
  ["x", "the same, for the focused value"],
  ["v", "show pictures as tables, and back"],
  ["f h", "on the map: show only a node's neighbours, hide the node"],
  ["← →", "on the map: follow an edge to the other end"],
  ["e", "export what is shown"],
  ["Esc", "show the whole range"],
] as const;

export function Help(props: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label="Keys" onClose={props.onClose}>
      <table>
        <tbody>
          {KEYS.map(([keys, text]) => (
            <tr key={keys}>
              <th scope="row">
                <kbd>{keys}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <form method="dialog">
        <button type="submit" class="button">
          Close
        </button>
      </form>
    </dialog>
  );
}
