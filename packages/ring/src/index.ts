/**
 * Who owns a uuid: rendezvous (highest random weight) hashing. Each member gets a weight for each key and the heaviest owns
 * it, so a join or leave moves only that member's keys, and shares stay even without virtual nodes. Pure.
 */

/** Two 32-bit lanes: JavaScript has no fast 64-bit integer. */
interface Lanes {
  hi: number
  lo: number
}

/** FNV-1a in two lanes with different primes, each finished by murmur3's mixer. */
function hash(text: string): Lanes {
  let hi = 0x811c9dc5 | 0
  let lo = 0x9e3779b9 | 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    hi = Math.imul(hi ^ c, 0x01000193)
    lo = Math.imul(lo ^ c, 0x85ebca6b)
    lo ^= lo >>> 15
  }
  return { hi: mix(hi), lo: mix(lo) }
}

function mix(x: number): number {
  let h = x
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Member names repeat on every call; there are few of them, and the bound only guards against abuse. */
const known = new Map<string, Lanes>()
function memberLanes(member: string): Lanes {
  let lanes = known.get(member)
  if (lanes === undefined) {
    if (known.size > 10_000) known.clear()
    lanes = hash(member)
    known.set(member, lanes)
  }
  return lanes
}

/** The member that owns the key; undefined when there are no members. Order and repetition of members don't matter. */
export function owner(members: readonly string[], key: string): string | undefined {
  const k = hash(key)
  let best: string | undefined
  let bestHi = -1
  let bestLo = -1
  for (const member of members) {
    const m = memberLanes(member)
    const hi = mix(k.hi ^ m.hi ^ Math.imul(m.lo, 0x9e3779b1)) >>> 0
    if (hi < bestHi) continue
    const lo = mix(k.lo ^ m.lo ^ Math.imul(hi, 0x85ebca77)) >>> 0
    if (hi > bestHi || lo > bestLo || (lo === bestLo && best !== undefined && member < best)) {
      best = member
      bestHi = hi
      bestLo = lo
    }
  }
  return best
}

export interface Move {
  key: string
  from: string | undefined
  to: string | undefined
}

/** The keys whose owner differs between two memberships, in the order given. */
export function moved(before: readonly string[], after: readonly string[], keys: Iterable<string>): Move[] {
  const moves: Move[] = []
  for (const key of keys) {
    const from = owner(before, key)
    const to = owner(after, key)
    if (from !== to) moves.push({ key, from, to })
  }
  return moves
}
