/** What ZStack's clients ask of a VM before they offer a choice. Synchronous; nothing changes. */
import { z } from 'zod'
import { call } from '../api.ts'
import { uuid } from '../scalars.ts'

/** What a VM can boot from, as its boot order names it. */
export const bootDevice = z.enum(['HardDisk', 'CdRom', 'Network'])

export const getVmConsoleAddress = call('GetVmConsoleAddress', 'GET', '/vm-instances/{uuid}/console-addresses', {
  verb: 'console-address',
  rights: 'owner',
  result: {
    kind: 'fields',
    schema: z.object({
      hostIp: z.string(),
      port: z.number().int(),
      /** where VNC is spoken as a WebSocket, to whoever adds a token of RequestConsoleAccess */
      path: z.string(),
      protocol: z.string(),
      vdiPortInfo: z.object({ vncPort: z.number().int() }),
    }),
  },
  summary: 'Where the console of a running VM instance is',
})
export const getVmHostname = call('GetVmHostname', 'GET', '/vm-instances/{uuid}/hostnames', {
  verb: 'hostname',
  result: { kind: 'fields', schema: z.object({ hostname: z.string().optional() }) },
  summary: 'The host name that a VM instance was given',
})
export const getVmSshKey = call('GetVmSshKey', 'GET', '/vm-instances/{uuid}/ssh-keys', {
  verb: 'ssh-key',
  result: { kind: 'fields', schema: z.object({ sshKey: z.string().optional() }) },
  summary: 'The public SSH keys that a VM instance was given, a line each',
})
export const getVmBootOrder = call('GetVmBootOrder', 'GET', '/vm-instances/{uuid}/boot-orders', {
  verb: 'boot-order',
  result: { kind: 'fields', schema: z.object({ orders: z.array(bootDevice) }) },
  summary: 'What a VM instance boots from, the first first',
})
export const getVmCapabilities = call('GetVmCapabilities', 'GET', '/vm-instances/{uuid}/capabilities', {
  verb: 'capabilities',
  result: { kind: 'fields', schema: z.object({ capabilities: z.record(z.string(), z.boolean()) }) },
  summary: 'What can be done with a VM instance besides what can be done with any',
})
export const getVmsCapabilities = call('GetVmsCapabilities', 'GET', '/vm-instances/capabilities', {
  verb: 'capabilities-of-several',
  names: { vmUuids: 'vmInstance' },
  params: { vmUuids: z.array(uuid).min(1).max(1000) },
  result: { kind: 'fields', schema: z.object({ vmsCaps: z.record(z.string(), z.record(z.string(), z.boolean())) }) },
  summary: 'What can be done with VM instances besides what can be done with any',
})
export const getVmAttachableDataVolume = call(
  'GetVmAttachableDataVolume',
  'GET',
  '/vm-instances/{vmInstanceUuid}/data-volume-candidates',
  {
    verb: 'data-volume-candidates',
    result: { kind: 'inventories', of: 'volume' },
    summary: 'Data volumes that a VM instance can be given',
  },
)
export const getVmAttachableL3Network = call(
  'GetVmAttachableL3Network',
  'GET',
  '/vm-instances/{vmInstanceUuid}/l3-networks-candidates',
  {
    verb: 'l3-network-candidates',
    result: { kind: 'inventories', of: 'l3Network' },
    summary: 'Networks that a VM instance can be given a card in',
  },
)
export const getDataVolumeAttachableVm = call(
  'GetDataVolumeAttachableVm',
  'GET',
  '/volumes/{volumeUuid}/candidate-vm-instances',
  {
    verb: 'vm-candidates',
    result: { kind: 'inventories', of: 'vmInstance' },
    summary: 'VM instances that a data volume can be given to',
  },
)
export const getVolumeCapabilities = call('GetVolumeCapabilities', 'GET', '/volumes/{uuid}/capabilities', {
  verb: 'capabilities',
  result: { kind: 'fields', schema: z.object({ capabilities: z.record(z.string(), z.boolean()) }) },
  summary: 'What can be done with a volume besides what can be done with any',
})
