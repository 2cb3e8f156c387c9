/**
 * Milliseconds after which a test gives up what it waits for. Generous, because on a loaded machine everything takes many
 * times as long: it only ends what would wait forever.
 */
export const DEADLINE = 120_000;
