/** Every workflow of guests leaves nothing behind: failed, repeated, undone and killed at every step. */
import { describe } from 'vitest'
import { provesAll } from './proves.ts'

describe('every workflow of guests', () => provesAll('vm'))
