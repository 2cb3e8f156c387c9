// One span or event of a trace, as the store answers it.

export interface TraceRow {
  readonly signal: "span" | "event";
  readonly name: string;
  readonly scope: string;
  readonly trace: string;
  readonly span: string;
  readonly parent?: string;
  readonly start: number;
  readonly duration?: number;
  readonly kind?: string;
  readonly error?: string;
  readonly service: string;
  readonly resource: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links?: readonly { readonly trace: string; readonly span: string }[];
}

export const text = ({ attributes }: TraceRow, key: string): string | undefined => {
  const value = attributes[key];
  return value === undefined ? undefined : String(value);
};
export const number = ({ attributes }: TraceRow, key: string): number | undefined => {
  const value = attributes[key];
  return typeof value === "number" ? value : undefined;
};

export function nameOf(row: TraceRow): string {
  return row.name === "application span" ? String(row.attributes["span.name"] ?? "span") : row.name;
}
