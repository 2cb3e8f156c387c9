// Small parts that every screen uses.
import type { ComponentChildren } from "preact";
import { agent, type Loaded } from "../data.ts";
import { count } from "../format.ts";
import { filter, go, termsOf, toggleTerm } from "../state.ts";

export function Panel(props: {
  title: string;
  /** Distinguishes it from another panel with the same title. */
  label?: string;
  note?: ComponentChildren;
  right?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.label ?? props.title}>
      <h2>
        {props.title}
        {props.note && <small>{props.note}</small>}
        {props.right && <span class="right">{props.right}</span>}
      </h2>
      {props.children}
    </section>
  );
}

/** The state of an answer: pending, an error, empty, or `children`. */
export function Answer<T>(props: {
  of: Loaded<T>;
  isEmpty?: (data: T) => boolean;
  empty?: ComponentChildren;
  /** The plugins that observe its subject. */
  plugins?: readonly string[];
  children: (data: T) => ComponentChildren;
}) {
  const { of } = props;
  if (of.state === "loading") return <p class="state">Loading…</p>;
  if (of.state === "error") return <p class="state bad">{of.message}</p>;
  if (props.isEmpty?.(of.data)) {
    return (
      <>
        <PluginStates of={props.plugins} />
        <p class="state">
          {filter.value
            ? "Nothing matches the filter. "
            : (props.empty ?? "Nothing was observed in this range.")}
          {filter.value && "Without: "}
          {termsOf(filter.value).map((term) => (
            <button type="button" class="chip" key={term} onClick={() => toggleTerm(term)}>
              {term}
            </button>
          ))}
        </p>
      </>
    );
  }
  return (
    <>
      <PluginStates of={props.plugins} />
      {(of.data.partial || of.data.oneIn > 1) && (
        <p class="state warn">
          {of.data.partial &&
            `The search ran out of time${of.data.scanned > 0 ? ` after ${count(of.data.scanned)} rows` : ""}: results are incomplete. `}
          {of.data.oneIn > 1 && `At that rate, one in ${of.data.oneIn} uneventful connections is stored.`}
        </p>
      )}
      {props.children(of.data)}
    </>
  );
}

/** Why plugins do not observe what is requested, or not all of it. */
function PluginStates(props: { of: readonly string[] | undefined }) {
  const known = agent.value?.plugins;
  if (known === undefined) return null;
  return (
    <>
      {props.of?.map((name) => {
        const plugin = known.find((one) => one.name === name);
        if (plugin?.state === "running") return null;
        return (
          <p class="state warn" key={name}>
            {plugin === undefined ? (
              <>
                ▲ The plugin {name} is off: <code>plugins.{name}.enabled: true</code> turns it on.
              </>
            ) : (
              `▲ The plugin ${name} ${plugin.state === "failed" ? "failed" : "misses something"}: ${plugin.error}`
            )}
          </p>
        );
      })}
    </>
  );
}

/** One of several choices, kept in the address. */
export function Choice(props: {
  label: string;
  name: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  /** Parameters whose meaning depends on the choice. */
  clears?: readonly string[];
}) {
  const cleared = Object.fromEntries((props.clears ?? []).map((name) => [name, undefined]));
  return (
    <div class="choice" role="radiogroup" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button
          type="button"
          role="radio"
          key={value}
          aria-checked={value === props.value}
          class={value === props.value ? "button on" : "button"}
          onClick={() => go({ ...cleared, [props.name]: value })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** A share as a bar, 0 to 1; `tone` describes its meaning, which is never shown by colour alone. */
export function Bar(props: {
  share: number;
  tone?: "bad" | "warn" | "second" | undefined;
  /** A share that is marked. */
  mark?: number;
}) {
  const width = `${Math.min(1, Math.max(0, props.share)) * 100}%`;
  return (
    <span class="bar" aria-hidden="true">
      <i class={props.tone ?? ""} style={{ width }} />
      {props.mark !== undefined && <b style={{ left: `${props.mark * 100}%` }} />}
    </span>
  );
}

/** The legend of a picture's colours. */
export function Legend(props: { hue: "count" | "heat"; few: string; many: string }) {
  return (
    <span class="legend">
      {props.few}
      <i class={props.hue} />
      {props.many}
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

/** The symbol of a severity, by shape and by colour. */
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
