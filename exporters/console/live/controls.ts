// What the keys of the live view do.
import { ORDERS, type Order } from "./overview.ts";

export interface Controls {
  readonly order: Order;
  readonly filter: string;
  /** Keys are part of the filter until Enter. */
  readonly editing: boolean;
  readonly paused: boolean;
  readonly help: boolean;
  /** Index of the tool that fills the screen; undefined: the overview. */
  readonly tool: number | undefined;
}

export const START: Controls = {
  order: ORDERS[0],
  filter: "",
  editing: false,
  paused: false,
  help: false,
  tool: undefined,
};

export const HELP: readonly string[] = [
  "s          sort by the next column; S by the one before",
  "/          show only rows that contain a text; Enter keeps it, Esc drops it",
  "p, space   pause, and resume",
  "t, T       the next tool on the whole screen, or the one before",
  "o, Esc     back to the overview",
  "q, Ctrl-C  quit",
];

/** The state after a key; `quit` if the view is to end. */
export function press(controls: Controls, key: string, tools: number): Controls | "quit" {
  if (key === "\x03") return "quit";
  if (controls.editing) return edit(controls, key);
  const { order, tool } = controls;
  switch (key) {
    case "q":
      return "quit";
    case "s":
    case "S":
      return {
        ...controls,
        order: ORDERS[around(ORDERS.indexOf(order), key === "s" ? 1 : -1, ORDERS.length)]!,
      };
    case "/":
      return { ...controls, editing: true, filter: "" };
    case "p":
    case " ":
      return { ...controls, paused: !controls.paused };
    case "t":
    case "T":
      if (tools === 0) return controls;
      return { ...controls, tool: around(tool ?? (key === "t" ? -1 : 0), key === "t" ? 1 : -1, tools) };
    case "o":
    case "\x1b":
      return { ...controls, tool: undefined, help: false, filter: key === "o" ? controls.filter : "" };
    case "?":
    case "h":
      return { ...controls, help: !controls.help };
    default:
      return controls;
  }
}

function edit(controls: Controls, key: string): Controls {
  if (key === "\r" || key === "\n") return { ...controls, editing: false };
  if (key === "\x1b") return { ...controls, editing: false, filter: "" };
  if (key === "\x7f" || key === "\b") return { ...controls, filter: controls.filter.slice(0, -1) };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: keys that are not text
  if (/[\x00-\x1f]/.test(key)) return controls;
  return { ...controls, filter: controls.filter + key };
}

const around = (index: number, step: number, length: number): number => (index + step + length) % length;
