/** Slips of the pen: the known word that was probably meant. Imports nothing, so that the command line can take it alone. */

/** The known word with the smallest edit distance, if it is near enough to be a slip. */
export function closestWord(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(3, Math.ceil(word.length / 2))
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Levenshtein distance; anything at or above `limit` may come out as `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
