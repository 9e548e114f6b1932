/** What a workflow has to stand, as a test of its own for each. Several files share them out: one worker would be the last to end. */
import { prove } from '@skerry/workflow'
import { expect, it } from 'vitest'
import { actions } from '../src/workflows/index.ts'
import { cases, ignore } from './prove-cases.ts'
import { proven } from './world.ts'

type Before = (typeof cases)[string]

const STORAGE = new Set(['volume', 'volumeSnapshot', 'image', 'backupStorage', 'primaryStorage'])

/** Which of the files proves a workflow: `vm.create` is one of the guests'. */
export const areaOf = (name: string): 'vm' | 'storage' | 'other' => {
  const kind = name.slice(0, name.indexOf('.'))
  if (kind === 'vm') return 'vm'
  return STORAGE.has(kind) ? 'storage' : 'other'
}

export async function expectProven(name: string, before: Before): Promise<void> {
  const report = await prove(actions.get(name)!.workflow, () => proven(before), {
    ...(ignore[name] ? { ignore: ignore[name] } : {}),
  })
  expect(report.trials).toBeGreaterThan(2)
}

export function provesAll(area: ReturnType<typeof areaOf>): void {
  for (const [name, before] of Object.entries(cases).filter(([name]) => areaOf(name) === area))
    it(`${name} fails, repeats, undoes and survives a kill at every step`, () => expectProven(name, before))
}
