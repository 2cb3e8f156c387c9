// Queries the store: once for a range that has ended, and with one stream of server-sent events for live data.
import { effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { AgentSummary } from "../../store/agent-answers.ts";
import type { Common } from "../../store/answers.ts";
import { clock } from "./format.ts";
import { filter, now, range } from "./state.ts";

export type Loaded<T> =
  | { readonly state: "loading" }
  | { readonly state: "ready"; readonly data: T & Common }
  | { readonly state: "error"; readonly message: string };

/** Why nothing is shown at all: the store is gone, or does not admit this user. */
export const trouble = signal<string | undefined>(undefined);

/** The agent's own state; undefined: it has not been reported yet, or this is a recording. */
export const agent = signal<AgentSummary | undefined>(undefined);

interface Subscription {
  readonly path: string;
  readonly into: Signal<Loaded<unknown>>;
}

const subscriptions = new Set<Subscription>();
let stream: EventSource | undefined;
let pending: number | undefined;

/** The answer of a path of the API. `ranged`: it depends on the range and the filter. */
export function useData<T>(path: string | undefined, ranged = true): ReadonlySignal<Loaded<T>> {
  const into = useMemo(() => signal<Loaded<T>>({ state: "loading" }), []);
  const { isLive, length } = range.value;
  const query = ranged ? queryOf(path ?? "", isLive ? { last: length } : range.value) : (path ?? "");
  useEffect(() => {
    if (path === undefined) return undefined;
    if (!isLive && ranged) {
      const controller = new AbortController();
      void load(query, into as Signal<Loaded<unknown>>, controller.signal);
      return () => controller.abort();
    }
    const subscription: Subscription = { path: query, into: into as Signal<Loaded<unknown>> };
    subscriptions.add(subscription);
    schedule();
    return () => {
      subscriptions.delete(subscription);
      schedule();
    };
  }, [query, isLive, path === undefined]);
  return into;
}

/** Milliseconds between answers for slowly changing data. */
const NOW_AND_THEN = 10_000;

/** Like `useData` with the range and the filter, for data that need not be updated each second. */
export function useDataNowAndThen<T>(path: string | undefined): ReadonlySignal<Loaded<T>> {
  const into = useMemo(() => signal<Loaded<T>>({ state: "loading" }), []);
  const { isLive, length } = range.value;
  const query = queryOf(path ?? "", isLive ? { last: length } : range.value);
  useEffect(() => {
    if (path === undefined) return undefined;
    const controller = new AbortController();
    const get = () => document.hidden || void load(query, into as Signal<Loaded<unknown>>, controller.signal);
    get();
    const timer = isLive ? setInterval(get, NOW_AND_THEN) : undefined;
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [query, isLive, path === undefined]);
  return into;
}

/** The answer for an interval that has ended, whatever the range and the filter are. */
export function useDataBetween<T>(path: string, from: number, to: number): ReadonlySignal<Loaded<T>> {
  const into = useMemo(() => signal<Loaded<T>>({ state: "loading" }), []);
  const query = `${path}?from=${from}&to=${to}`;
  useEffect(() => {
    const controller = new AbortController();
    void load(query, into as Signal<Loaded<unknown>>, controller.signal);
    return () => controller.abort();
  }, [query]);
  return into;
}

function queryOf(
  path: string,
  when: { readonly last: number } | { readonly from: number; readonly to: number },
): string {
  const [name = "", own = ""] = path.split("?");
  const query = new URLSearchParams(own);
  for (const [key, value] of Object.entries(when)) {
    if (key === "last" || key === "from" || key === "to") query.set(key, String(value));
  }
  if (filter.value && !query.has("q")) query.set("q", filter.value);
  return `${name}?${query}`;
}

/** Milliseconds after which a request to a busy store is repeated. */
const BUSY = 250;

/** One answer. */
export async function ask<T>(query: string, abort?: AbortSignal): Promise<Loaded<T>> {
  try {
    const response = await fetch(`/api/v1/${query}`, abort ? { signal: abort } : {});
    const body = (await response.json()) as (T & Common) | { readonly error: string };
    if (response.ok) return { state: "ready", data: body as T & Common };
    // The store only answers a few requests at once.
    if (response.status === 429) {
      await new Promise((resolve) => setTimeout(resolve, BUSY));
      return await ask(query, abort);
    }
    const message = "error" in body ? body.error : response.statusText;
    if (response.status === 401) trouble.value = message;
    return { state: "error", message };
  } catch (error) {
    return { state: "error", message: `the store does not answer (${(error as Error).message})` };
  }
}

async function load(query: string, into: Signal<Loaded<unknown>>, abort: AbortSignal): Promise<void> {
  const answer = await ask(query, abort);
  if (!abort.aborted) into.value = answer;
}

/** Reopens the stream when what is shown has changed; simultaneous changes are combined. */
function schedule(): void {
  clearTimeout(pending);
  pending = setTimeout(reopen, 20);
}

function reopen(): void {
  stream?.close();
  stream = undefined;
  if (subscriptions.size === 0 || document.hidden) return;
  const query = new URLSearchParams(
    [...new Set([...subscriptions].map(({ path }) => path))].map((path) => ["of", path]),
  );
  const opened = new EventSource(`/api/v1/live?${query}`);
  stream = opened;
  opened.addEventListener("message", ({ data }) => {
    trouble.value = undefined;
    const { of, status, body } = JSON.parse(String(data)) as {
      of: string;
      status: number;
      body: Common & { error?: string };
    };
    if (body.asOf) now.value = body.asOf;
    for (const { path, into } of subscriptions) {
      if (path !== of) continue;
      into.value =
        status === 200
          ? { state: "ready", data: body }
          : { state: "error", message: body.error ?? String(status) };
    }
  });
  opened.addEventListener("error", () => {
    if (stream !== opened) return;
    trouble.value ??= `The store has not answered since ${clock(Date.now() / 1000)}; data shown is from ${clock(now.value)}.`;
    // Refused permanently: show why.
    if (opened.readyState === EventSource.CLOSED) {
      void ask("meta");
      pending = setTimeout(reopen, 3000);
    }
  });
}

document.addEventListener("visibilitychange", schedule);

/** Exchanges a token in the address's fragment for a session. */
export async function admit(): Promise<void> {
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, "", location.pathname + location.search);
  const response = await fetch("/api/v1/session", { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) trouble.value = ((await response.json()) as { error: string }).error;
}

effect(() => {
  document.title = trouble.value ? "wirespan (no answer)" : "wirespan";
});
