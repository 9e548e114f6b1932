/** Every workflow is shown before it is done, and showing it changes nothing. */
import { describe, it } from 'vitest'
import { planned } from './planned.ts'
import { cases } from './prove-cases.ts'

describe('every workflow', () => {
  for (const [name, before] of Object.entries(cases))
    it(`${name} is shown before it is done, and changes nothing by that`, () => planned(name, before))
})
