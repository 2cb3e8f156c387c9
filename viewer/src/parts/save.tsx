// Takes what is shown away: as a file, or as a link that shows the same again.
import { useEffect, useRef, useState } from "preact/hooks";
import { filter, fixedLink, range } from "../state.ts";

/** Milliseconds for which it is shown that the link has been copied. */
const COPIED = 2000;

export function LinkButton() {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(fixedLink());
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED);
  };
  return (
    <button
      type="button"
      class="button"
      title="copy an address that reopens this screen with this range and filter"
      onClick={() => void copy()}
    >
      <span aria-live="polite">{isCopied ? "Copied" : "Link"}</span>
    </button>
  );
}

export function Save() {
  const menu = useRef<HTMLDetailsElement>(null);
  const [state, setState] = useState("");
  const { from, to } = range.value;
  const times = { from: String(from), to: String(to) };
  useEffect(() => {
    const close = ({ target }: Event) => {
      if (menu.current && !menu.current.contains(target as Node)) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, []);
  return (
    <details
      class="save"
      ref={menu}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !menu.current?.open) return;
        menu.current.open = false;
        event.stopPropagation();
      }}
    >
      <summary class="button">Save…</summary>
      <div class="panel">
        <a
          href={`/api/v1/export?${new URLSearchParams({ ...times, ...(filter.value && { q: filter.value }) })}`}
          download="wirespan.jsonl"
        >
          Spans and events <small>OTLP/JSON, as filtered</small>
        </a>
        <a
          href={`/api/v1/recording?${new URLSearchParams(times)}`}
          download="wirespan.db"
          onClick={(event) => {
            event.preventDefault();
            void saveRecording(event.currentTarget.href, setState);
          }}
        >
          A recording <small>for wirespan view; not filtered</small>
        </a>
        <button type="button" onClick={saveTables}>
          The tables shown <small>CSV</small>
        </button>
        <p class="state" role="status">
          {state}
        </p>
      </div>
    </details>
  );
}

/** A download of the browser's own would not show why there is none. */
async function saveRecording(url: string, show: (state: string) => void): Promise<void> {
  show("The recording is being made…");
  const response = await fetch(url);
  if (response.ok) saveAs("wirespan.db", await response.blob());
  show(response.ok ? "" : ((await response.json()) as { error: string }).error);
}

function saveAs(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function saveTables(): void {
  const tables = [...document.querySelectorAll<HTMLTableElement>("main table")].map(csvOf);
  saveAs("wirespan.csv", new Blob([tables.join("\r\n")], { type: "text/csv" }));
}

/** Its caption, heads and rows (RFC 4180). */
function csvOf({ caption, rows }: HTMLTableElement): string {
  const lines = [...rows].map((row) => [...row.cells].map((cell) => cellOf(textOf(cell))).join(","));
  return `${cellOf(caption?.textContent ?? "")}\r\n${lines.join("\r\n")}\r\n`;
}

const textOf = (cell: HTMLTableCellElement) => cell.innerText.replace(/\s+/g, " ").trim();

/** Spreadsheets take what begins with these for a formula. */
function cellOf(text: string): string {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
