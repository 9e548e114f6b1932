import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { commandIdOf, defineWorkflow, parallel, parseCommandId, type Step, stepNames } from '../src/index.ts'

const step = (name: string, more: Partial<Step> = { noUndo: 'it only looks' }): Step => ({ name, do: () => {}, ...more })
const define = (...steps: Parameters<typeof defineWorkflow>[0]['steps']) =>
  defineWorkflow({ name: 'a.b', version: 1, input: z.object({}), steps })

describe('defineWorkflow', () => {
  it('takes steps with an undo or a reason for none, in groups or alone', () => {
    expect(stepNames(define(step('a'), parallel('g', [step('b', { undo: () => {} }), step('c')])))).toEqual(['a', 'b', 'c'])
  })

  it.each([
    ['a repeated name, also across groups', () => define(step('a'), parallel('g', [step('a')])), /two steps are named a/],
    ['neither undo nor noUndo', () => define(step('a', {})), /needs undo or noUndo/],
    ['both undo and noUndo', () => define(step('a', { undo: () => {}, noUndo: 'x' })), /needs undo or noUndo/],
    ['a blank reason', () => define(step('a', { noUndo: ' ' })), /without a reason/],
    ['an empty group', () => define(parallel('g', [])), /group g is empty/],
    ['a name that is no token of a command id', () => define(step('a.b')), /'a.b' is no name/],
    ['a version of 0', () => defineWorkflow({ name: 'a.b', version: 0, input: z.object({}), steps: [] }), /version/],
  ])('refuses %s', (_, act, message) => {
    expect(act).toThrow(message)
  })
})

describe('command ids', () => {
  it('tell job, step and direction, and are one token of a subject', () => {
    const job = 'c'.repeat(32)
    expect(parseCommandId(commandIdOf(job, 'plug-nic'))).toEqual({ job, step: 'plug-nic', undoing: false })
    expect(parseCommandId(commandIdOf(job, 'plug-nic', 2))).toEqual({ job, step: 'plug-nic', undoing: true })
    expect(commandIdOf(job, 'plug-nic', 2)).not.toContain('.')
    expect(parseCommandId('a.b')).toBeUndefined()
  })
})
