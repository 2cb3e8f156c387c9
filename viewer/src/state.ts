// The address contains the whole state: the screen, the time range and the filter. Each screen reads and writes it here.
import { computed, effect, signal } from "@preact/signals";

/** Seconds that are shown unless the address says otherwise: as much as is stored, up to an hour. */
const defaultRange = signal(3600);

/** Called with the beginning of the stored data, seconds since the epoch. */
export function knownSince(since: number): void {
  const length = now.value - since;
  defaultRange.value = [300, 900].find((seconds) => length < seconds) ?? 3600;
}

const address = signal(new URL(location.href));

window.addEventListener("popstate", () => {
  address.value = new URL(location.href);
});

export const path = computed(() => address.value.pathname);

/** A parameter of the address; empty if it is absent. */
export function parameter(name: string): string {
  return address.value.searchParams.get(name) ?? "";
}

export const filter = computed(() => parameter("q"));

/** Seconds since the epoch; a live range ends now. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly isLive: boolean;
  /** Seconds. */
  readonly length: number;
}

/** Advances with the data's own clock. */
export const now = signal(Date.now() / 1000);

export const range = computed<Range>(() => {
  const from = Number(parameter("from"));
  const to = Number(parameter("to"));
  if (from > 0 && to > from) return { from, to, isLive: false, length: to - from };
  const length = Number(parameter("last")) || defaultRange.value;
  return { from: now.value - length, to: now.value, isLive: true, length };
});

/** Changes parameters (undefined: removes), and the path if one is given. */
export function go(changes: Readonly<Record<string, string | number | undefined>>, to?: string): void {
  const next = new URL(address.value);
  if (to !== undefined && to !== next.pathname) {
    next.pathname = to;
    for (const name of [...next.searchParams.keys()])
      if (!KEPT.includes(name)) next.searchParams.delete(name);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") next.searchParams.delete(name);
    else next.searchParams.set(name, String(value));
  }
  if (next.href === address.value.href) return;
  history.pushState(null, "", next);
  address.value = next;
}

/** Goes to the address in a finding, keeping the range. */
export function open(link: string): void {
  const { pathname, searchParams } = new URL(link, location.href);
  go(Object.fromEntries(searchParams), pathname);
}

/** Traces of the list from which a connection was opened. */
let listed: readonly string[] = [];

/** Opens the connection of a row, from which `j` and `k` lead to the others of the list. */
export function openConnection(trace: string, rows: readonly { readonly trace: string }[]): void {
  listed = [...new Set(rows.map((row) => row.trace))];
  go({}, `/c/${trace}`);
}

/** The connection before and after one in the list from which it was opened. */
export function neighboursOf(
  trace: string,
): readonly [before: string | undefined, after: string | undefined] {
  const at = listed.indexOf(trace);
  return at < 0 ? [undefined, undefined] : [listed[at - 1], listed[at + 1]];
}

/** Parameters of every screen. */
const KEPT = ["q", "from", "to", "last"];

/** An address for a link, with this screen's filter and range. */
export function href(to: string): string {
  const next = new URL(to, location.href);
  for (const name of KEPT) {
    const value = parameter(name);
    if (value && !next.searchParams.has(name)) next.searchParams.set(name, value);
  }
  return next.pathname + next.search;
}

/** The address of what is shown now: what is live ends when the link is made. */
export function fixedLink(): string {
  const link = new URL(address.value);
  const { from, to } = range.value;
  link.searchParams.delete("last");
  link.searchParams.set("from", String(Math.floor(from)));
  link.searchParams.set("to", String(Math.ceil(to)));
  return link.href;
}

/** Adds a term to the filter, or removes it. */
export function toggleTerm(term: string): void {
  const terms = termsOf(filter.value);
  const index = terms.indexOf(term);
  if (index >= 0) terms.splice(index, 1);
  else terms.push(term);
  go({ q: terms.join(" ") });
}

/** The terms of a filter, with `not` as part of the term that follows it. */
export function termsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const terms: string[] = [];
  for (const word of words) {
    if (terms.at(-1) === "not") terms[terms.length - 1] = `not ${word}`;
    else terms.push(word);
  }
  return terms;
}

type Theme = "light" | "dark";
const system = matchMedia("(prefers-color-scheme: dark)");
const stored = localStorage.getItem("theme");
export const theme = signal<Theme>(
  stored === "dark" || stored === "light" ? stored : system.matches ? "dark" : "light",
);
system.addEventListener("change", () => {
  if (!localStorage.getItem("theme")) theme.value = system.matches ? "dark" : "light";
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme.value);
}
