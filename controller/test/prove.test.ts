/** Every workflow leaves nothing behind: failed, repeated, undone and killed at every step. Guests and storage have files of their own. */
import { describe, expect, it } from 'vitest'
import { actions } from '../src/workflows/index.ts'
import { cases } from './prove-cases.ts'
import { provesAll } from './proves.ts'

describe('every workflow', () => {
  it('has a case here', () => {
    expect([...actions.keys()].filter((name) => !(name in cases))).toEqual([])
  })

  provesAll('other')
})
