// Ranges of frame sizes: bcc's five, and what is larger. Bytes, the upper end excluded.
export const SIZES = ["0-64", "64-512", "512-2048", "2048-16384", "16384-65536", "65536-"] as const;

/** As bcc heads its columns. */
export const TITLES = ["[0, 64)", "[64, 512)", "[512, 2K)", "[2K, 16K)", "[16K, 64K)", "[64K, -)"] as const;
