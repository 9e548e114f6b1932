/** Sorting in steps: whoever runs it may do other work between two of them, however much there is to sort. */

/** Rows that are sorted at once. A step is little work, as the look at a row is: whoever runs them looks at the clock every few hundred. */
const RUN = 16
/** Rows that are moved between two steps. */
const STRIDE = 4

/**
 * The same elements in order; equal ones stay as they stood. Yields after each piece of work. O(n log n). What moves meanwhile are
 * positions in two typed arrays: lists of lists would keep the garbage collector busy, whose work comes in no steps.
 */
export function* sorted<T>(all: readonly T[], order: (a: T, b: T) => number): Generator<void, T[]> {
  const comes = (a: number, b: number) => order(all[a]!, all[b]!)
  let [from, to] = [new Uint32Array(all.length), new Uint32Array(all.length)]
  for (let at = 0; at < all.length; at += RUN) {
    insert(from, at, Math.min(at + RUN, all.length), comes)
    yield
  }
  for (let width = RUN; width < all.length; width *= 2) {
    for (let at = 0; at < all.length; at += 2 * width) yield* merge(from, to, { at, width }, comes)
    ;[from, to] = [to, from]
  }
  const result: T[] = []
  for (const position of from) if (result.push(all[position]!) % STRIDE === 0) yield
  return result
}

/** Fills `begin` to `end` with just these positions, in order. */
function insert(into: Uint32Array, begin: number, end: number, comes: (a: number, b: number) => number): void {
  for (let position = begin; position < end; position++) {
    let at = position
    for (; at > begin && comes(into[at - 1]!, position) > 0; at--) into[at] = into[at - 1]!
    into[at] = position
  }
}

/** Two neighbours of `width`, of which the right one may be shorter or missing. */
function* merge(
  from: Uint32Array,
  to: Uint32Array,
  { at, width }: { at: number; width: number },
  comes: (a: number, b: number) => number,
): Generator<void, void> {
  const middle = Math.min(at + width, from.length)
  const end = Math.min(middle + width, from.length)
  let [left, right] = [at, middle]
  for (let next = at; next < end; next++) {
    const fromLeft = right >= end || (left < middle && comes(from[left]!, from[right]!) <= 0)
    to[next] = from[fromLeft ? left++ : right++]!
    if (next % STRIDE === 0) yield
  }
}
