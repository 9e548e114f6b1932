/** `/v1/workflows` and `/v1/workflows/<name>`: what jobs do, as data, or drawn as a Mermaid flowchart. */
import { routes, SkerryError } from '@skerry/contract'
import { closestWord } from '@skerry/query/closest'
import { mermaidOf } from '@skerry/workflow'
import type { Door, Visit } from './context.ts'
import { json, text } from './reply.ts'
import { decodeSegments } from './routes.ts'

/** The name behind `/workflows/`, '' for the list itself; undefined: another path. Throws `Refusal` 400. */
export function workflowPathOf(joined: string): string | undefined {
  if (joined === routes.workflows) return ''
  const below = joined.startsWith(`${routes.workflows}/`) ? joined.slice(routes.workflows.length + 1) : ''
  return below === '' || below.includes('/') ? undefined : decodeSegments(below)[0]
}

function formatOf({ url }: Visit): 'json' | 'mermaid' {
  for (const [name, value] of url.searchParams) {
    if (name !== 'format')
      throw new SkerryError('invalid-argument', `workflows can't be asked by ${name}; they can by format`, { field: name })
    if (value === 'mermaid') return value
    if (value !== 'json')
      throw new SkerryError('invalid-argument', `format: ${value} is none of json, mermaid`, {
        field: 'format',
        allowed: ['json', 'mermaid'],
      })
  }
  return 'json'
}

export function serveWorkflows(door: Door, visit: Visit, name: string): Response {
  if (door.workflows === undefined) throw new SkerryError('not-ready', 'this controller shows no workflows')
  const format = formatOf(visit)
  const all = door.workflows()
  if (name === '') {
    if (format === 'json') return json(200, { workflows: all })
    throw new SkerryError('invalid-argument', `one workflow is drawn at a time: ${routes.workflows}/<name>?format=mermaid`, {
      field: 'format',
    })
  }
  const found = all.find((one) => one.name === name)
  if (!found) {
    const closest = closestWord(
      name,
      all.map((one) => one.name),
    )
    const hint = closest === undefined ? '' : `; did you mean ${closest}?`
    throw new SkerryError('not-found', `there is no such workflow${hint}`, { ...(closest ? { closest } : {}) })
  }
  return format === 'json'
    ? json(200, { workflow: found })
    : text(200, mermaidOf(found), { 'content-type': 'text/plain; charset=utf-8' })
}
