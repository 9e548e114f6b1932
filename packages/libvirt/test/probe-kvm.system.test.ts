import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { probeKvm, spawnProbe } from '../src/index.ts'
import { probeArgv } from '../src/probe-kvm.ts'
import { multibootKernel } from './multiboot.ts'

describe.skipIf(!requireOrSkip('the KVM probe', { root: true, programs: ['qemu-system-x86_64'] }))(
  'the KVM probe with real qemu',
  () => {
    let dir: string
    let kernel: string
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'skerry-probe-'))
      kernel = join(dir, 'kernel')
      await writeFile(kernel, multibootKernel('guest is UP\n'))
    })
    afterAll(() => rm(dir, { recursive: true, force: true }))

    it('boots a payload by the argv that it makes, and sees its marker', async () => {
      const argv = probeArgv('tcg', { kernel, marker: 'guest is UP' })
      const { output, ended } = await spawnProbe('qemu-system-x86_64', argv, { timeoutMs: 30_000, stopAt: 'guest is UP' })
      expect({ output, ended }).toMatchObject({ ended: 'marker' })
    })

    it('says tcg when the payload does not come up in time, whatever /dev/kvm looks like', async () => {
      const payload = { kernel, marker: 'never printed' }
      expect(await probeKvm({ exec: spawnProbe, payload, timeoutMs: 2_000 })).toMatchObject({
        accel: 'tcg',
        reason: expect.any(String),
      })
    })
  },
)
