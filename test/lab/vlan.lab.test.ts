/** VLANs on a kernel that has them: the ports as their suite says, and the module of agent-kvm with packets on a wire. */
import { join } from 'node:path'
import { vlanCases } from '@skerry/host/vlan-cases'
import { type Lab, requireOrSkip, SHARE, startLab } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleProgram } from './bundle.ts'

/** Everything in the lab is 10 to 50 times slower than here. A ceiling. */
const SLOW_MS = 300_000
const here = requireOrSkip('VLANs', { programs: ['qemu-system-x86_64', 'cpio', 'depmod', 'ip', 'ping'] })
interface Seen {
  cases: string[]
  wire: Record<string, unknown>
}
let lab: Lab | undefined
let seen: Seen

beforeAll(async () => {
  if (!here) return
  lab = await startLab({ cpus: 1, memoryMib: 512 })
  const program = await bundleProgram(lab.share, join(import.meta.dirname, 'vlan-program.ts'))
  seen = JSON.parse(await lab.must([process.execPath, join(SHARE, program)], { timeoutMs: SLOW_MS })) as Seen
}, SLOW_MS)
afterAll(async () => {
  await lab?.dispose()
})

describe.skipIf(!here)('VLANs on one interface', () => {
  test('the real tools pass the suite that the fakes pass', () => {
    expect(seen.cases).toEqual(Object.keys(vlanCases))
  })

  test('guests of one VLAN talk, those of two don’t, and the host keeps its address on the interface', () => {
    const making = ['create', 'ipv6-off', 'uplink']
    expect(seen.wire).toMatchObject({
      made: [
        [...making, ...making],
        [...making, ...making],
      ],
      again: [[], []],
      talks: { same: true, other: false, hosts: true },
    })
  })

  test('another VLAN is moved to under the guests, and what was changed by hand is put right', () => {
    expect(seen.wire).toMatchObject({ changed: ['unlink', 'uplink'], apart: false, together: true, mended: ['uplink'] })
  })

  test('what is removed is ours, and the VLAN that somebody else made stays', () => {
    expect(seen.wire['removed']).toEqual(['unlink', 'remove', 'unlink', 'remove'])
    expect(seen.wire['left']).toEqual([{ name: 'nic0.30', alias: 'of the person' }])
  })
})
