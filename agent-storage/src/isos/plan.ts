/** Pure: which ISO images are copied to this host, and which copies go. One content is one file, however many drives hold it. */
import { cachePath, type ErrorBody, SkerryError, type storageDesired, toErrorBody } from '@skerry/contract'
import type { Change, PlanContext, Report, Wanted } from '@skerry/reconcile'
import type { IsoHave } from './observe.ts'

type Spec = storageDesired.IsoSpec

export type IsoChange = Change & ({ op: 'copy'; spec: Spec; poolPath: string } | { op: 'remove'; paths: string[] })

export function plan(want: readonly Wanted<Spec>[], have: readonly IsoHave[], context: Pick<PlanContext, 'buried'>): IsoChange[] {
  const used = new Set(want.flatMap(({ spec }) => [spec.cachePath, `${spec.cachePath}.tmp`]))
  const removals = have.flatMap(({ uuid, paths }): IsoChange[] => {
    const free = context.buried.has(uuid) ? paths.filter((path) => !used.has(path)) : []
    return free.length > 0 ? [{ uuid, op: 'remove', paths: free }] : []
  })
  const present = new Set(have.filter((h) => h.present).map((h) => h.uuid))
  const copies = want.flatMap(({ uuid, spec }): IsoChange[] => {
    const poolPath = poolOf(spec)
    return present.has(uuid) || poolPath === undefined ? [] : [{ uuid, op: 'copy', spec, poolPath }]
  })
  return [...removals, ...copies]
}

/** The pool's path, by the copy's own; undefined when the path doesn't follow the contract's naming. */
function poolOf({ cachePath: path, sha256 }: Spec): string | undefined {
  const tail = cachePath('', sha256, 'iso')
  return path.endsWith(tail) && path.length > tail.length ? path.slice(0, -tail.length) : undefined
}

export function report(want: Wanted<Spec> | undefined, have: IsoHave | undefined): Report {
  if (!want || have?.present) return { condition: 'Ready', observed: {} }
  const { cachePath: path } = want.spec
  if (poolOf(want.spec) !== undefined) return { condition: 'Working', observed: {} }
  const error = new SkerryError('invalid-document', 'a copy of an ISO image must stand where its pool keeps copies', { path })
  return { condition: 'Refused', observed: {}, error: toErrorBody(error) as ErrorBody }
}
