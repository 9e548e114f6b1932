/**
 * Hosts of one cluster in a tournament tree: each node knows the most that a host below it has free, and the fewest VMs that one
 * has. So a search for the host with the fewest VMs that has room skips whole subtrees, and one changed host costs its way to the root.
 */

/** What a host has free. All -Infinity: nothing may be placed there. `vms`: how many it has. */
export interface Leaf {
  cpus: number
  memory: number
  disk: number
  vms: number
}
export type Need = Omit<Leaf, 'vms'>

const NOTHING: Leaf = {
  cpus: Number.NEGATIVE_INFINITY,
  memory: Number.NEGATIVE_INFINITY,
  disk: Number.NEGATIVE_INFINITY,
  vms: Number.POSITIVE_INFINITY,
}
const FIRST_SIZE = 16

export class CapacityTree {
  #size = FIRST_SIZE
  #cpus = empty(FIRST_SIZE, NOTHING.cpus)
  #memory = empty(FIRST_SIZE, NOTHING.memory)
  #disk = empty(FIRST_SIZE, NOTHING.disk)
  #vms = empty(FIRST_SIZE, NOTHING.vms)
  readonly #keys: (string | undefined)[] = []
  readonly #at = new Map<string, number>()
  readonly #free: number[] = []

  set(key: string, leaf: Leaf): void {
    let at = this.#at.get(key)
    if (at === undefined) {
      at = this.#free.pop() ?? this.#keys.length
      if (at >= this.#size) this.#grow()
      this.#keys[at] = key
      this.#at.set(key, at)
    }
    this.#write(at, leaf)
  }

  delete(key: string): void {
    const at = this.#at.get(key)
    if (at === undefined) return
    this.#at.delete(key)
    this.#keys[at] = undefined
    this.#free.push(at)
    this.#write(at, NOTHING)
  }

  get size(): number {
    return this.#at.size
  }

  /** Fewest VMs of a host below this node (1: the root). */
  fewest(node: number): number {
    return this.#vms[node]!
  }

  /** Whether some host below this node may have room. */
  fits(node: number, need: Need): boolean {
    return this.#cpus[node]! >= need.cpus && this.#memory[node]! >= need.memory && this.#disk[node]! >= need.disk
  }

  /** The host at this node; undefined: it is no leaf. */
  keyAt(node: number): string | undefined {
    return node >= this.#size ? this.#keys[node - this.#size] : undefined
  }

  isLeaf(node: number): boolean {
    return node >= this.#size
  }

  #write(at: number, leaf: Leaf): void {
    let node = this.#size + at
    this.#cpus[node] = leaf.cpus
    this.#memory[node] = leaf.memory
    this.#disk[node] = leaf.disk
    this.#vms[node] = leaf.vms
    for (node >>= 1; node >= 1; node >>= 1) this.#lift(node)
  }

  #lift(node: number): void {
    const [left, right] = [2 * node, 2 * node + 1]
    this.#cpus[node] = Math.max(this.#cpus[left]!, this.#cpus[right]!)
    this.#memory[node] = Math.max(this.#memory[left]!, this.#memory[right]!)
    this.#disk[node] = Math.max(this.#disk[left]!, this.#disk[right]!)
    this.#vms[node] = Math.min(this.#vms[left]!, this.#vms[right]!)
  }

  #grow(): void {
    const old = this.#size
    this.#size *= 2
    this.#cpus = moved(this.#cpus, old, NOTHING.cpus)
    this.#memory = moved(this.#memory, old, NOTHING.memory)
    this.#disk = moved(this.#disk, old, NOTHING.disk)
    this.#vms = moved(this.#vms, old, NOTHING.vms)
    for (let node = this.#size - 1; node >= 1; node--) this.#lift(node)
  }
}

function empty(size: number, value: number): Float64Array {
  return new Float64Array(2 * size).fill(value)
}

/** The leaves of a tree of `size`, in one of twice the size. */
function moved(from: Float64Array, size: number, value: number): Float64Array {
  const to = empty(2 * size, value)
  to.set(from.subarray(size), 2 * size)
  return to
}

interface Open {
  tree: CapacityTree
  node: number
  bound: number
  rank: number
}

/** Nearest first; of equal ones the deepest (see `rankOf`), so that a search goes straight down. */
const before = (a: Open, b: Open) =>
  a.bound !== b.bound ? a.bound < b.bound : a.rank !== b.rank ? a.rank < b.rank : a.node > b.node

function push(heap: Open[], item: Open): void {
  let at = heap.length
  heap.push(item)
  while (at > 0) {
    const up = (at - 1) >> 1
    if (!before(item, heap[up]!)) break
    heap[at] = heap[up]!
    at = up
  }
  heap[at] = item
}

function pop(heap: Open[]): Open | undefined {
  const top = heap[0]
  const last = heap.pop()
  if (heap.length === 0 || last === undefined) return top
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
    if (!before(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return top
}

/** Levels of the deepest tree; as many choices between left and right are made. */
const LEVELS = 30

/**
 * Which of equal hosts comes first: the deepest node, and of two sisters the one that a bit of `choices` says. VMs that are placed in
 * one moment don't see each other's choice yet, so going the same way each time would put all of them on one host.
 */
const rankOf = (node: number, choices: number): number => {
  const depth = 31 - Math.clz32(node)
  return -2 * depth + ((node & 1) ^ 1 ^ ((choices >>> (LEVELS - depth)) & 1))
}

/**
 * Hosts that may have room, those with the fewest VMs first; `random` (in [0, 1)) decides between equal ones. With `any`: in any order,
 * and `vms` is 0.
 */
export function* hostsWithRoom(
  trees: Iterable<CapacityTree>,
  need: Need,
  { any, random = () => 0 }: { any: boolean; random?: (() => number) | undefined },
): Generator<{ uuid: string; vms: number }> {
  const heap: Open[] = []
  const choices = any ? 0 : Math.floor(random() * 2 ** LEVELS)
  const open = (tree: CapacityTree, node: number) => {
    if (!tree.fits(node, need)) return
    push(heap, { tree, node, bound: any ? 0 : tree.fewest(node), rank: any ? random() : rankOf(node, choices) })
  }
  for (const tree of trees) open(tree, 1)
  for (let next = pop(heap); next; next = pop(heap)) {
    const { tree, node, bound } = next
    const uuid = tree.keyAt(node)
    if (uuid !== undefined) yield { uuid, vms: bound }
    else if (!tree.isLeaf(node)) {
      open(tree, 2 * node)
      open(tree, 2 * node + 1)
    }
  }
}
