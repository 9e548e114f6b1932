/** Templates of settings that each site has: what they set, and for whom. Every value stands in the list of settings. */
import type { ConfigKey } from './configs.ts'

export interface ConfigTemplate {
  uuid: string
  name: string
  type: string
  about: string
  values: Readonly<Partial<Record<ConfigKey, string>>>
}

export const configTemplates: readonly ConfigTemplate[] = [
  {
    uuid: '5b0c1f4d7a5e4a1c9a3d0e6b2c8f4d11',
    name: 'Production',
    type: 'production',
    about: 'For a site that people depend on: little is promised twice, and what was deleted can be recovered for long',
    values: {
      'host.cpu.overProvisioning.ratio': '4',
      'mevoco.overProvisioning.memory': '1.0',
      'mevoco.overProvisioning.primaryStorage': '1.0',
      'kvm.reservedMemory': '2G',
      'primaryStorage.reservedCapacity': '10G',
      'vm.deletionPolicy': 'Delay',
      'vm.expungePeriod': '1209600',
      'volume.deletionPolicy': 'Delay',
      'volume.expungePeriod': '1209600',
      'image.deletionPolicy': 'Delay',
      'image.expungePeriod': '1209600',
      'identity.session.timeout': '3600',
    },
  },
  {
    uuid: 'c1d2a7e64f0b4b7e8e5f3a9d6b7c2e22',
    name: 'Lab',
    type: 'lab',
    about: 'For development and tests on few machines: more is promised than there is, and what is deleted is soon gone',
    values: {
      'host.cpu.overProvisioning.ratio': '20',
      'mevoco.overProvisioning.memory': '1.5',
      'mevoco.overProvisioning.primaryStorage': '2.0',
      'kvm.reservedMemory': '512M',
      'primaryStorage.reservedCapacity': '1G',
      'vm.deletionPolicy': 'Delay',
      'vm.expungePeriod': '3600',
      'volume.deletionPolicy': 'Delay',
      'volume.expungePeriod': '3600',
      'image.deletionPolicy': 'Delay',
      'image.expungePeriod': '3600',
      'identity.session.timeout': '28800',
    },
  },
]
