/** What ZStack's clients change of a VM besides its life: what its guest is told, what it boots from, its size. */
import { z } from 'zod'
import { action, attach, remove } from '../api.ts'
import { hostname, ipv4, line, mac, uuid } from '../scalars.ts'
import { bootDevice } from './vm-reads.ts'

const path = '/vm-instances/{uuid}/actions'
const nothing = { kind: 'empty' } as const

export const setVmHostname = action('SetVmHostname', path, {
  of: 'vmInstance',
  workflow: 'vm.setHostname',
  verb: 'set-hostname',
  params: { hostname },
  result: nothing,
  summary: 'Give a VM instance a host name, for its guest and for the DNS of its networks',
})
export const deleteVmHostname = remove('DeleteVmHostname', '/vm-instances/{uuid}/hostnames', 'vmInstance', {
  workflow: 'vm.deleteHostname',
  verb: 'delete-hostname',
  summary: 'Take the host name from a VM instance: its name counts again',
})
export const setVmCleanTraffic = action('SetVmCleanTraffic', path, {
  of: 'vmInstance',
  workflow: 'vm.setCleanTraffic',
  verb: 'set-clean-traffic',
  params: { enable: z.boolean() },
  result: nothing,
  summary: 'Let the guest of a VM instance speak only as itself, by its own MAC and IP addresses, or as it likes',
})
export const setVmSshKey = action('SetVmSshKey', path, {
  of: 'vmInstance',
  workflow: 'vm.setSshKey',
  verb: 'set-ssh-key',
  params: { SshKey: line(16_384) },
  summary: 'Give a VM instance this public SSH key in place of those that it has; its guest takes it at its first boot',
})
export const deleteVmSshKey = remove('DeleteVmSshKey', '/vm-instances/{uuid}/ssh-keys', 'vmInstance', {
  workflow: 'vm.deleteSshKey',
  verb: 'delete-ssh-key',
  summary: 'Take the public SSH keys from a VM instance',
})
export const setVmBootOrder = action('SetVmBootOrder', path, {
  of: 'vmInstance',
  workflow: 'vm.setBootOrder',
  verb: 'set-boot-order',
  params: { bootOrder: z.array(bootDevice).max(bootDevice.options.length).optional() },
  summary: 'Say what a VM instance boots from, from its next start on; without a list: as usual',
})
export const changeInstanceOffering = action('ChangeInstanceOffering', '/vm-instances/{vmInstanceUuid}/actions', {
  of: 'vmInstance',
  workflow: 'vm.changeOffering',
  verb: 'change-offering',
  params: { instanceOfferingUuid: uuid },
  summary: 'Give a VM instance that is off the CPUs and memory of an instance offering',
})
export const attachL3NetworkToVm = {
  ...attach('AttachL3NetworkToVm', 'POST', '/vm-instances/{vmInstanceUuid}/l3-networks/{l3NetworkUuid}', {
    of: 'vmInstance',
    workflow: 'vm.attachNic',
    verb: 'attach-l3-network',
    params: { staticIp: ipv4.optional(), customMac: mac.optional(), driverType: z.enum(['virtio']).optional() },
    summary: 'Give a VM instance a card in a network, running or stopped',
  }),
  otherwise: { of: 'vpcRouter', workflow: 'vpcRouter.attachNetwork' },
}
