// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have values in their texts
/** Whatever stands in a script: it is run or refused by name, soon. */
import { SkerryError } from '@skerry/contract'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Ask, askedQuery, parseScript, runScript } from '../src/index.ts'

async function answer(ask: Ask): Promise<unknown> {
  if (ask.ask === 'query') askedQuery(ask.text)
  return { total: 2, result: [{ uuid: 'a', list: [1, { deep: true }] }, { uuid: 'b' }] }
}

/** Runs it; the error, if there was one, must be ours and say something. */
async function survives(text: string): Promise<boolean> {
  try {
    await runScript(parseScript(text), { answer, sliceMs: 5, now: () => 0, pause: async () => undefined })
    return true
  } catch (error) {
    const ours = error instanceof SkerryError && ['malformed-request', 'invalid-argument'].includes(error.code)
    if (!ours || error.message === '') throw error
    return false
  }
}

const words =
  'def if else for in return put query zql call x y it true false null size() collect each findAll join sort flatten __proto__ constructor'
const signs = '( ) [ ] { } , . ; : ? ?. ?: *. -> = == != < > << + - * / % ! && || += \' " """ ${ } $x \\ // /* */ \n 😀 \u0000 @'
const token = fc.oneof(
  fc.constantFrom(
    ...words.split(' '),
    ...signs.split(' '),
    '1',
    '2.5',
    '"a"',
    'x = [1, [2]]\n',
    'query("Q a=b").result',
    '{ it }',
  ),
  fc.string({ maxLength: 4 }),
)
const soup = fc.array(token, { maxLength: 30 }).map((tokens) => tokens.join(' '))

it('tokens in any order, and any text', () =>
  fc.assert(
    fc.asyncProperty(fc.oneof(soup, fc.string()), async (text) => void (await survives(text))),
    { numRuns: 3000 },
  ))

const whole = `def found = query("QueryVmInstance limit=2").result
found.each { vm -> if (vm.uuid == 'a') { vm.more = [n: 1 + 2 * 3, t: "uuid \${vm.uuid}"] } else put(vm.uuid, vm.list?.size() ?: 'none') }
put('all', found.collect { [it.uuid, it.list] }.flatten().findAll { it != null && !('b' in ['a']) }.size())`

it('a script with something cut out, doubled or put in', async () => {
  expect(await survives(whole)).toBe(true)
  const at = fc.nat(whole.length)
  const changed = fc.tuple(at, at, token).map(([a, b, t]) => `${whole.slice(0, a)}${t}${whole.slice(b)}`)
  let run = 0
  await fc.assert(
    fc.asyncProperty(changed, async (text) => void (run += Number(await survives(text)))),
    { numRuns: 2000 },
  )
  expect(run).toBeGreaterThan(0)
})
