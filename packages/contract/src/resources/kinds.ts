/** What there is of a kind, as ZStack's clients ask before they offer a choice. Never changes while we run. */
import { z } from 'zod'
import { call } from '../api.ts'

const hypervisor = 'KVM'
const format = (name: string, masters: string[] = [hypervisor]) => ({
  format: name,
  masterHypervisorType: hypervisor,
  supportingHypervisorTypes: masters,
})

/** Answers by API. */
export const kinds = {
  GetHypervisorTypes: { hypervisorTypes: [hypervisor] },
  GetPrimaryStorageTypes: { types: ['LocalStorage'] },
  GetBackupStorageTypes: { types: ['ImageStoreBackupStorage', 'SftpBackupStorage'] },
  GetL2NetworkTypes: { types: ['L2NoVlanNetwork', 'L2VlanNetwork', 'VxlanNetwork', 'VxlanNetworkPool'] },
  GetVSwitchTypes: { types: ['LinuxBridge'] },
  GetL3NetworkTypes: { types: ['L3BasicNetwork'] },
  GetVolumeFormat: { formats: [format('qcow2'), format('raw')] },
} as const satisfies Record<string, Record<string, readonly unknown[]>>

const names = z.array(z.string())
const volumeFormat = z.object({ format: z.string(), masterHypervisorType: z.string(), supportingHypervisorTypes: names })
const o = (field: string, of: z.ZodType, summary: string) => ({
  ...{ verb: field === 'formats' ? 'formats' : 'types', summary },
  result: { kind: 'fields' as const, schema: z.object({ [field]: of }) },
})

export const hypervisorTypes = call(
  'GetHypervisorTypes',
  'GET',
  '/hosts/hypervisor-types',
  o('hypervisorTypes', names, 'Kinds of hypervisors'),
)
export const primaryStorageTypes = call(
  'GetPrimaryStorageTypes',
  'GET',
  '/primary-storage/types',
  o('types', names, 'Kinds of primary storage'),
)
export const backupStorageTypes = call(
  'GetBackupStorageTypes',
  'GET',
  '/backup-storage/types',
  o('types', names, 'Kinds of backup storage'),
)
export const l2NetworkTypes = call('GetL2NetworkTypes', 'GET', '/l2-networks/types', o('types', names, 'Kinds of L2 networks'))
export const vSwitchTypes = call('GetVSwitchTypes', 'GET', '/l2-networks/vSwitchTypes', {
  ...o('types', names, 'Kinds of virtual switches'),
  verb: 'v-switch-types',
})
export const l3NetworkTypes = call('GetL3NetworkTypes', 'GET', '/l3-networks/types', o('types', names, 'Kinds of L3 networks'))
export const volumeFormats = call(
  'GetVolumeFormat',
  'GET',
  '/volumes/formats',
  o('formats', z.array(volumeFormat), 'Formats of volumes'),
)
