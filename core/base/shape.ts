// Checks that external data has the form that its reader relies on.

/** A type's name; a list of one shape; an object with these keys, or with any (`*`). Other keys are allowed. */
export type Shape = "string" | "number" | readonly [Shape] | { readonly [key: string]: Shape };

export function fits(value: unknown, shape: Shape): boolean {
  if (typeof shape === "string") return typeof value === shape;
  if (typeof value !== "object" || value === null) return false;
  if (isList(shape)) return Array.isArray(value) && value.every((item) => fits(item, shape[0]));
  const each = shape["*"];
  if (each !== undefined) return Object.values(value).every((item) => fits(item, each));
  return Object.entries(shape).every(([key, of]) => fits((value as Record<string, unknown>)[key], of));
}

const isList = (shape: Exclude<Shape, string>): shape is readonly [Shape] => Array.isArray(shape);
