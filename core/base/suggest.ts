// The most similar valid name, for messages about wrong ones.

/** The candidate most similar to `word`; undefined if none is similar (more than half of it would change). */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const offered = plain(candidate);
    const distance = levenshtein(wanted, offered);
    if (distance < least && distance <= Math.max(wanted.length, offered.length) / 2) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

/** How a sentence about a wrong name continues: `; did you mean x?`, or with `otherwise`. */
export function suggestion(word: string, candidates: Iterable<string>, otherwise: string): string {
  const found = suggest(word, candidates);
  return `; ${found === undefined ? otherwise : `did you mean ${found}?`}`;
}

// min_duration, MinDuration and min-duration are the same mistake.
const plain = (word: string): string => word.replace(/[-_]/g, "").toLowerCase().slice(0, 100);

function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
