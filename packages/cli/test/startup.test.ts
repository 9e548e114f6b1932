/** What a command loads before it does anything: a schema library there would cost more than the rest of it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { apis, resources } from '@skerry/contract'
import { expect, it } from 'vitest'
import { catalog } from '../src/contract-catalog.ts'

const src = join(import.meta.dirname, '../src')
/** The build puts data in its place. */
const CATALOG = join(src, 'contract-catalog.ts')

/** Specifiers that are loaded at once, and those of `import()`; types are not. */
function importsOf(text: string): { at: string[]; later: string[] } {
  const statements = [...text.matchAll(/^(?:import|export)\s+(?!type\b)(?:([\w*{][^;'"`=()]*?)\s+from\s+)?'([^']+)'/gm)]
  const real = statements.filter(([, names = '']) => !/^\{(\s*type [^,}]+,?)+\s*\}$/.test(names))
  return {
    at: real.map(([, , specifier = '']) => specifier),
    later: [...text.matchAll(/\bimport\('([^']+)'\)/g)].map(([, specifier = '']) => specifier),
  }
}

function fileOf(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(from), specifier)
  if (!specifier.startsWith('@skerry/')) return undefined
  return createRequire(from).resolve(specifier)
}

/** Packages, and files of ours, that a file brings with it. `follow`: `import()`s that are followed too. */
function loaded(file: string, follow: RegExp, seen = new Set<string>()): Set<string> {
  if (seen.has(file) || file === CATALOG) return seen
  seen.add(file)
  const { at, later } = importsOf(readFileSync(file, 'utf8'))
  for (const specifier of [...at, ...later.filter((one) => follow.test(one))]) {
    const next = fileOf(specifier, file)
    if (next) loaded(next, follow, seen)
    else seen.add(specifier)
  }
  return seen
}

it.each([
  ['help', /^$/],
  ['get', /commands\/get|contexts|sdk/],
  ['create', /commands\/call|contexts|sdk/],
  ['completion', /commands\/completion|contexts|sdk/],
  ['why, logs, top', /commands\/(why|logs|top)|contexts|sdk/],
])('%s loads no schemas, no agents, no NATS', (_, follow) => {
  const packages = [...loaded(join(src, 'main.ts'), follow)].filter((one) => !one.startsWith('/') && !one.startsWith('node:'))
  expect(packages.filter((one) => !['commander', 'lowdb'].includes(one))).toEqual([])
})

it('the walk sees what it looks for', () => {
  expect([...loaded(join(src, 'doctor/agents.ts'), /^$/)]).toContain('zod')
  expect(importsOf("import { type A, type B } from 'x'\nimport { type A, b } from 'y'\nexport * from 'z'").at).toEqual(['y', 'z'])
})

it('the catalog is plain data that says the same after JSON, and knows every API and resource', () => {
  expect(JSON.parse(JSON.stringify(catalog))).toEqual(catalog)
  expect(catalog.apis.map(({ api }) => api.api)).toEqual(apis.map(({ api }) => api.api))
  expect(Object.keys(catalog.resources)).toEqual(Object.keys(resources))
})
