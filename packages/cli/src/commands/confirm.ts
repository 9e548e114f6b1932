/** Before guests or disks go along with something else, a person at a screen is asked. Programs are not: they have `--dry-run`. */
import type { Row } from '@skerry/contract'
import { SkerryError } from '@skerry/contract/errors'
import type { CatalogApi } from '../catalog.ts'
import type { Io } from '../io.ts'

/** What holds what people made, and how it is called. */
const PRECIOUS: Readonly<Record<string, string>> = { vmInstance: 'VM', volume: 'volume', image: 'image' }
const SHOWN = 5

interface Planner {
  call(api: string, params: Row, o: { dryRun: true }): Promise<unknown>
}

/** Throws `invalid-argument` when the answer is no. Asks nothing where nothing of that kind goes along. */
export async function confirmDeletion(io: Io, client: Planner, { api, params }: { api: CatalogApi; params: Row }): Promise<void> {
  const reply = (await client.call(api.api, params, { dryRun: true })) as Row
  const cascade = ((reply['plan'] as Row | undefined)?.['cascade'] as Row[] | undefined) ?? []
  // What was meant itself comes last.
  const along = cascade.slice(0, -1).filter(({ action, resource }) => action === 'delete' && String(resource) in PRECIOUS)
  if (along.length === 0) return
  const names = along.slice(0, SHOWN).map(({ resource, name, uuid }) => `${PRECIOUS[String(resource)]} ${name ?? uuid}`)
  const more = along.length > SHOWN ? ` and ${along.length - SHOWN} more` : ''
  const answer = await io.ask(`this deletes for good also: ${names.join(', ')}${more}. Go on? [y/N] `, { secret: false })
  if (answer === undefined || /^y(es)?$/i.test(answer.trim())) return
  throw new SkerryError('invalid-argument', 'nothing was changed', { run: '--dry-run shows all of it; --yes asks no question' })
}
