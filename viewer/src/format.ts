// Human-readable numbers, times and sizes.

/** `340 µs`, `1.2 ms`, `3.4 s`, `2 h 5 min`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined) return "–";
  const size = Math.abs(seconds);
  if (size === 0) return "0";
  if (size < 1e-3) return `${short(seconds * 1e6)} µs`;
  if (size < 1) return `${short(seconds * 1e3)} ms`;
  if (size < 120) return `${short(seconds)} s`;
  if (size < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** `1.2 kB`, `38.4 MB`. */
export function bytes(count: number | undefined): string {
  if (count === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? value.toFixed(0) : short(value)} ${units[unit]}`;
}

/** `1,914`, `12.4 k`, `3.1 M`. */
export function count(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= 1e9) return `${short(value / 1e9)} G`;
  if (value >= 1e6) return `${short(value / 1e6)} M`;
  if (value >= 1e5) return `${short(value / 1e3)} k`;
  return Number.isInteger(value) ? value.toLocaleString("en-US") : short(value);
}

/** `12.3 %`. */
export function percent(share: number | undefined): string {
  return share === undefined ? "–" : `${short(share * 100)} %`;
}

/** At most three significant digits. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, "");
  return size >= 0.1 ? value.toFixed(2).replace(/\.?0+$/, "") : value.toPrecision(2);
}

/** `14:38`, or `14:38:02` if seconds matter, or with milliseconds. */
export function clock(seconds: number, precision: "minutes" | "seconds" | "ms" = "seconds"): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (precision === "minutes") return minutes;
  const whole = `${minutes}:${two(date.getSeconds())}`;
  return precision === "seconds" ? whole : `${whole}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Times of the marks on a scale of `width` pixels, and their distance (seconds). */
export function ticks(from: number, to: number, most: number): { at: number[]; step: number } {
  const steps = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
  ].concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400]);
  const step = steps.find((one) => (to - from) / one <= most) ?? 86_400;
  const at: number[] = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) at.push(t);
  return { at, step };
}
