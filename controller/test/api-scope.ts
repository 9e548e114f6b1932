/**
 * Which of ZStack's APIs are here, come later or never: `controller/api-scope.json` holds every name of its catalogue, the page
 * beside it is made of that. Pure.
 */
import { apis } from '@skerry/contract'
import { z } from 'zod'

const text = z.string().min(1)

export const scopeSchema = z.strictObject({
  /** areas of what comes later, and what they mean */
  areas: z.record(text, text),
  /** APIs of ZStack that its catalogue lacks, and how we know them */
  besides: z.record(text, text),
  /** `here`, `later: <area>` or `out: <reason>` by API name */
  apis: z.record(text, z.string().regex(/^(here|later: .+|out: .+)$/)),
})
export type Scope = z.infer<typeof scopeSchema>

/** Names of the APIs of ZStack that the contract declares. */
export const declared = (): string[] => apis.filter(({ api }) => !api.own).map(({ api }) => api.api)

/** What is wrong with a classification, a line each. `catalogue`: ZStack's names, where they are at hand. */
export function faults(scope: Scope, contract: readonly string[], catalogue?: readonly string[]): string[] {
  const here = new Set(contract)
  const areas = Object.keys(scope.areas)
  return [
    ...contract.filter((api) => !(api in scope.apis) && !(api in scope.besides)).map((api) => `${api} has no class`),
    ...Object.keys(scope.besides).flatMap((api) => [
      ...(here.has(api) ? [] : [`${api} stands beside the catalogue, but is not in the contract`]),
      ...(api in scope.apis ? [`${api} stands in the catalogue and beside it`] : []),
    ]),
    ...Object.entries(scope.apis).flatMap(([api, is]) => {
      if (is === 'here' && !here.has(api)) return [`${api} is called here, but is not in the contract`]
      if (is !== 'here' && here.has(api)) return [`${api} is in the contract, but called ${is}`]
      const area = is.startsWith('later: ') ? is.slice('later: '.length) : undefined
      return area === undefined || areas.includes(area) ? [] : [`${api}: there is no area ${area}`]
    }),
    ...(catalogue?.filter((api) => !(api in scope.apis)).map((api) => `${api} of the catalogue has no class`) ?? []),
    ...(catalogue ? Object.keys(scope.apis).filter((api) => !catalogue.includes(api)) : []).map(
      (api) => `${api} is not in the catalogue`,
    ),
  ]
}

/** The same, with everything `here` that the contract declares, sorted by name. What is no longer declared needs a class by hand. */
export function followed(scope: Scope, contract: readonly string[]): Scope {
  const here = new Set(contract)
  const entries = Object.entries(scope.apis).map(([api, is]): [string, string] => [api, here.has(api) ? 'here' : is])
  return { ...scope, apis: Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) }
}

const cell = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(' ')

/** The page. */
export function page(scope: Scope): string {
  const entries = Object.entries(scope.apis)
  const of = (is: string) => entries.filter(([, c]) => c === is).map(([api]) => api)
  const here = of('here')
  const areas = Object.entries(scope.areas).map(([area, about]) => ({ area, about, names: of(`later: ${area}`) }))
  const reasons = [...new Set(entries.filter(([, c]) => c.startsWith('out: ')).map(([, c]) => c))].sort()
  const later = areas.reduce((sum, { names }) => sum + names.length, 0)
  return [
    '# ZStack’s APIs',
    '',
    `Made by \`scripts/api-scope\` from \`api-scope.json\`. Of ${entries.length} APIs of ZStack’s catalogue ${here.length} are here, ${later} come later,`,
    `${entries.length - here.length - later} never. One that is not here answers 404, as any path that ZStack does not know.`,
    '',
    `## Here (${here.length})`,
    '',
    cell(here),
    '',
    ...Object.entries(scope.besides).map(([api, why]) => `Besides: \`${api}\` (${why}).\n`),
    `## Later (${later})`,
    '',
    '| area | | APIs |',
    '| --- | --- | --- |',
    ...areas
      .filter(({ names }) => names.length > 0)
      .map(({ area, about, names }) => `| ${area}: ${about} | ${names.length} | ${cell(names)} |`),
    '',
    `## Never (${entries.length - here.length - later})`,
    '',
    '| why | | APIs |',
    '| --- | --- | --- |',
    ...reasons.map((c) => `| ${c.slice('out: '.length)} | ${of(c).length} | ${cell(of(c))} |`),
    '',
  ].join('\n')
}
