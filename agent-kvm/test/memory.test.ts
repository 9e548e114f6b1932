/** [format] What agents of earlier versions remembered of their VMs is known to this one: why a guest is off must survive an upgrade. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { memoryPatch, readVmMemory, type VmMemory } from '../src/vms/memory.ts'

const golden = JSON.parse(readFileSync(new URL('golden/memory-v1.json', import.meta.url), 'utf8')) as VmMemory[]

describe.each(golden.map((memory) => ({ memory, of: Object.keys(memory).join(', ') })))(
  'a memory of version 1 with $of',
  ({ memory }) => {
    test('is read whole, and also where a newer version noted more', () => {
      expect(readVmMemory(memory as Record<string, unknown>)).toEqual(memory)
      expect(readVmMemory({ ...memory, fromTheFuture: { a: 1 } })).toEqual(memory)
    })

    test('is what this version writes', () => {
      expect(memoryPatch({}, memory)).toEqual(memory)
      expect(memoryPatch(memory, memory)).toBeUndefined()
    })
  },
)
