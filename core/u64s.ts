/** `length` u64 words from word `first`, as numbers: exact below 2^53. */
export function u64s(words: Uint32Array, first: number, length: number): Float64Array {
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++)
    numbers[i] = words[first + 2 * i]! + words[first + 2 * i + 1]! * 4294967296;
  return numbers;
}
