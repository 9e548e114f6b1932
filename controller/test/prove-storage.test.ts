/** Every workflow of storage leaves nothing behind: failed, repeated, undone and killed at every step. */
import { describe } from 'vitest'
import { provesAll } from './proves.ts'

describe('every workflow of storage', () => provesAll('storage'))
