/** The rules of scripts/check, on packages made up here. */
import { describe, expect, test } from 'vitest'
import { checkBounds, importsOf } from '../bounds.ts'
import type { WorkspacePackage } from '../packages.ts'
import { checkSource } from '../source-rules.ts'

const pkg = (name: string, over: Partial<WorkspacePackage> = {}): WorkspacePackage => ({
  name,
  folder: `packages/${name}`,
  dependencies: [],
  devDependencies: [],
  src: [],
  test: [],
  ...over,
})
const source = (text: string, path = 'packages/bus/src/a.ts') => ({ path, text })
const lines = (n: number, line = '  act()') => Array.from({ length: n }, () => line).join('\n')

describe('bounds', () => {
  test.each([
    ['contract', 'graph'],
    ['bus', 'host'],
    ['graph', 'workflow'],
    ['agent-kvm', 'agent-vrouter'],
    ['agent-kvm', 'controller'],
    ['sdk', 'cli'],
    ['deploy', 'test'],
  ])('%s must not depend on %s', (name, other) => {
    expect(checkBounds([pkg(name, { dependencies: [`@skerry/${other}`] })], [])).toHaveLength(name === 'contract' ? 2 : 1)
  })

  test.each([
    ['query', 'graph'],
    ['workflow', 'graph'],
    ['agent', 'reconcile'],
    ['cli', 'agent'],
    ['deploy', 'agent-vrouter'],
  ])('%s may depend on %s', (name, other) => {
    expect(checkBounds([pkg(name, { dependencies: [`@skerry/${other}`] })], [])).toEqual([])
  })

  test('contract imports only zod, and a package without a place is named', () => {
    expect(checkBounds([pkg('contract', { dependencies: ['zod', 'lodash'] })], [])).toEqual([
      expect.stringContaining('not lodash'),
    ])
    expect(checkBounds([pkg('stuff')], [])).toEqual([expect.stringContaining('no place')])
  })

  test('an import that the manifest does not name is a breach, also dynamic and of types', () => {
    const text = `import 'node:fs'\nimport type { A } from 'hono'\nconst b = await import('@skerry/graph/sub')\ntype C = import('ws').C`
    expect(checkBounds([pkg('bus', { src: [source(text)] })], []).map((line) => line.split(' ')[1])).toEqual([
      'hono',
      '@skerry/graph',
      'ws',
    ])
  })

  test('tests may use what devDependencies name, sources may not', () => {
    const file = source(`import { test } from 'vitest'`)
    expect(checkBounds([pkg('bus', { test: [file] })], ['vitest'])).toEqual([])
    expect(checkBounds([pkg('bus', { src: [file] })], ['vitest'])).toHaveLength(1)
  })

  test('a relative import must not leave its package', () => {
    expect(checkBounds([pkg('bus', { src: [source(`export * from '../../graph/src/index.ts'`)] })], [])).toHaveLength(1)
    expect(checkBounds([pkg('bus', { src: [source(`export * from '../src/index.ts'`)] })], [])).toEqual([])
  })

  test('text that looks like an import is none', () => {
    expect(importsOf(source(`const s = "import x from 'y'" // import 'z'`))).toEqual([])
  })
})

describe('sources', () => {
  test('300 lines are fine, 301 are not', () => {
    expect(checkSource(source(`${lines(300, '//')}\n`))).toEqual([])
    expect(checkSource(source(`${lines(301, '//')}\n`))).toHaveLength(1)
  })

  test('50 lines in a function are fine, 51 are not; functions inside are measured by themselves', () => {
    expect(checkSource(source(`function f() {\n${lines(48)}\n}`))).toEqual([])
    expect(checkSource(source(`function f() {\n${lines(49)}\n}`))).toEqual([expect.stringContaining('f has 51 lines')])
    const inner = `() => {\n${lines(30)}\n}`
    expect(checkSource(source(`const port = () => {\n  const a = ${inner}\n  const b = ${inner}\n  return { a, b }\n}`))).toEqual(
      [],
    )
  })

  test('five parameters are too many', () => {
    expect(checkSource(source('const f = (a, b, c, d, e) => a'))).toEqual([expect.stringContaining('f has 5 parameters')])
  })

  test('a swallowed error needs a reason', () => {
    expect(checkSource(source('try { a() } catch {}'))).toHaveLength(1)
    expect(checkSource(source('try { a() } catch {\n // gone is fine\n}'))).toEqual([])
  })

  test('only entry files read the environment', () => {
    expect(checkSource(source(`const a = process.env['A']`))).toHaveLength(1)
    expect(checkSource(source(`const a = process.env['A']`, 'agent-kvm/src/main.ts'))).toEqual([])
  })

  test('a name that says nothing is refused', () => {
    expect(checkSource(source('', 'packages/bus/src/utils.ts'))).toHaveLength(1)
    expect(checkSource(source('', 'packages/bus/src/helpers/a.ts'))).toHaveLength(1)
  })
})
