/** Workflows that go another way in another situation: each of these leaves nothing behind either. */
import { prove } from '@skerry/workflow'
import { describe, expect, it } from 'vitest'
import { actions } from '../src/workflows/index.ts'
import { after, on, onSite } from './before.ts'
import { otherIpsecCases } from './ipsec-cases.ts'
import { otherIsoCases } from './iso-cases.ts'
import { otherNetworkCases } from './network-cases.ts'
import { otherPlaceCases } from './place-cases.ts'
import { fresh, onServer, uploaded } from './prove-cases.ts'
import { expectProven } from './proves.ts'
import { otherSecurityCases } from './security-cases.ts'
import { otherSnapshotCases } from './snapshot-cases.ts'
import { otherVipCases } from './vip-cases.ts'
import { otherVmCases } from './vm-cases.ts'
import { otherVolumeCases } from './volume-cases.ts'
import { otherVpcCases } from './vpc-cases.ts'
import { otherVxlanCases } from './vxlan-cases.ts'
import { input, proven, u, vmParams } from './world.ts'

describe('a workflow in another situation', () => {
  for (const [sentence, name, before] of [
    ...otherPlaceCases,
    ...otherVolumeCases,
    ...otherSnapshotCases,
    ...otherIsoCases,
    ...otherVmCases,
    ...otherVxlanCases,
    ...otherNetworkCases,
    ...otherVipCases,
    ...otherIpsecCases,
    ...otherVpcCases,
    ...otherSecurityCases,
  ]) {
    it(`${name} proves with ${sentence}`, () => expectProven(name, before))
  }

  it('image.add proves with an upload, and image.delete with one that came to nothing', async () => {
    const add = await prove(actions.get('image.add')!.workflow, () => proven(onSite(uploaded)))
    expect(add.trials).toBeGreaterThan(2)
    const canceled = after(
      [
        ['image.add', uploaded],
        ['image.cancelUpload', on('image', fresh)],
      ],
      on('image', fresh),
    )
    const report = await prove(actions.get('image.delete')!.workflow, () => proven(canceled))
    expect(report.trials).toBeGreaterThan(2)
  })

  it('backupStorage.delete proves with a storage server too', async () => {
    const added = after([['backupStorage.addSftp', onServer(fresh)]], on('backupStorage', fresh))
    const report = await prove(actions.get('backupStorage.delete')!.workflow, () => proven(added))
    expect(report.trials).toBeGreaterThan(2)
  })

  it('vm.create without a start proves too', async () => {
    const report = await prove(actions.get('vm.create')!.workflow, () =>
      proven(onSite(input(u.vm, 'vmInstance', { ...vmParams, strategy: 'CreateStopped' }))),
    )
    expect(report.skipped).toEqual(['power-on', 'boot'])
  })
})
