/**
 * Milliseconds after which a test stops waiting. Generous, because everything takes many times as long on a loaded
 * machine; it only prevents endless waits.
 */
export const DEADLINE = 120_000;
