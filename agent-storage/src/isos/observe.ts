/** The hosts' own copies of ISO images: those that documents name, and what is left of buried ones. */
import type { storageDesired } from '@skerry/contract'
import type { Host } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'

export interface IsoHave {
  uuid: string
  /** Of the copy and of what a cut-off copying left: what is there now. */
  paths: string[]
  /** The copy is whole: it gets its name only then. */
  present: boolean
}

type Named = readonly { uuid: string; spec: storageDesired.IsoSpec | undefined }[]

export async function observe(files: Host['files'], context: PlanContext): Promise<IsoHave[]> {
  const named = [...context.wantedOf('iso'), ...context.buriedOf('iso')] as Named
  // A copy that another drive holds is none of a buried one's.
  const used = new Set((context.wantedOf('iso') as Named).map(({ spec }) => spec?.cachePath))
  const have = named.flatMap(async ({ uuid, spec }): Promise<IsoHave[]> => {
    if (!spec || (context.buried.has(uuid) && used.has(spec.cachePath))) return []
    const candidates = [spec.cachePath, `${spec.cachePath}.tmp`]
    const there = await Promise.all(candidates.map(async (path) => (await files.stat(path))?.kind === 'file'))
    if (context.buried.has(uuid) && !there.includes(true)) return []
    return [{ uuid, paths: candidates.filter((_, n) => there[n]), present: there[0] === true }]
  })
  return (await Promise.all(have)).flat()
}
