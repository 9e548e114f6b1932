/** The shortest chain of relations from one resource to another, for `restrict by`. */
import type { QueryTarget, QueryTargets } from '../target.ts'

const MAX_STEPS = 6

/** Names of the relations, none for the resource itself; undefined where none lead there. What has one far end comes before what has many. */
export function pathBetween(from: QueryTarget, to: string, targets: QueryTargets): string[] | undefined {
  if (targets[to] === from) return []
  const seen = new Set<QueryTarget>([from])
  let frontier: { target: QueryTarget; path: string[] }[] = [{ target: from, path: [] }]
  for (let step = 0; step < MAX_STEPS && frontier.length > 0; step++) {
    const next: typeof frontier = []
    for (const { target, path } of frontier) {
      const relations = Object.entries(target.relations).sort(([, a], [, b]) => Number(a.many) - Number(b.many))
      for (const [name, relation] of relations) {
        const far = targets[relation.target]
        if (far === undefined || seen.has(far)) continue
        if (relation.target === to) return [...path, name]
        seen.add(far)
        next.push({ target: far, path: [...path, name] })
      }
    }
    frontier = next
  }
  return undefined
}
