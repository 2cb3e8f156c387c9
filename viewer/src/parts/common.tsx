// Small parts that every screen uses.
import type { ComponentChildren } from "preact";
import type { Loaded } from "../data.ts";
import { filter, go } from "../state.ts";

export function Panel(props: {
  title: string;
  note?: ComponentChildren;
  right?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.title}>
      <h2>
        {props.title}
        {props.note && <small>{props.note}</small>}
        {props.right && <span class="right">{props.right}</span>}
      </h2>
      {props.children}
    </section>
  );
}

/** What there is of an answer: it is coming, it is wrong, it is empty, or `children`. */
export function Answer<T>(props: {
  of: Loaded<T>;
  isEmpty?: (data: T) => boolean;
  empty?: string;
  children: (data: T) => ComponentChildren;
}) {
  const { of } = props;
  if (of.state === "loading") return <p class="state">Loading…</p>;
  if (of.state === "error") return <p class="state bad">{of.message}</p>;
  if (props.isEmpty?.(of.data)) {
    return (
      <p class="state">
        {filter.value
          ? "Nothing matches the filter. "
          : (props.empty ?? "Nothing was observed in this time.")}
        {filter.value && (
          <button type="button" class="link" onClick={() => go({ q: undefined })}>
            Remove the filter
          </button>
        )}
      </p>
    );
  }
  return (
    <>
      {(of.data.partial || of.data.oneIn > 1) && (
        <p class="state warn">
          {of.data.partial &&
            `There was no time to look at everything: ${of.data.scanned.toLocaleString()} rows were searched. `}
          {of.data.oneIn > 1 && `At that rate, one in ${of.data.oneIn} calm connections is kept.`}
        </p>
      )}
      {props.children(of.data)}
    </>
  );
}

/** One of several choices, kept in the address. */
export function Choice(props: {
  label: string;
  name: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
}) {
  return (
    <div class="choice" role="radiogroup" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button
          type="button"
          role="radio"
          key={value}
          aria-checked={value === props.value}
          class={value === props.value ? "button on" : "button"}
          onClick={() => go({ [props.name]: value })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** A share as a bar, 0 to 1; `tone` says what it means, never by colour alone. */
export function Bar(props: { share: number; tone?: "bad" | "warn" | "second" | undefined }) {
  const width = `${Math.min(1, Math.max(0, props.share)) * 100}%`;
  return (
    <span class="bar" aria-hidden="true">
      <i class={props.tone ?? ""} style={{ width }} />
    </span>
  );
}

/** A line of values without scales. */
export function Spark(props: {
  values: readonly number[];
  tone?: "bad" | "warn" | undefined;
  label: string;
}) {
  const { values } = props;
  const most = Math.max(...values, 1e-12);
  const [width, height] = [160, 30];
  const points = values.map((value, i) => {
    const x = values.length < 2 ? width : (i / (values.length - 1)) * width;
    return `${x.toFixed(1)},${(height - 1 - (value / most) * (height - 3)).toFixed(1)}`;
  });
  return (
    <svg
      class={`spark ${props.tone ?? ""}`}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={props.label}
    >
      {points.length > 1 && <polygon points={`0,${height} ${points.join(" ")} ${width},${height}`} />}
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}

/** The sign of a severity: by shape and by colour. */
export function Sign(props: { severity: "failing" | "slow" | "unusual" }) {
  const [shape, text] = { failing: ["◆", "failing"], slow: ["▲", "slow"], unusual: ["●", "unusual"] }[
    props.severity
  ];
  return (
    <span class={`sign ${props.severity}`} title={text}>
      <span aria-hidden="true">{shape}</span>
      <span class="hidden">{text}</span>
    </span>
  );
}
