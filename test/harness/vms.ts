/** VM instances of a test site, through its public API. */
import type { Row } from '@skerry/contract'
import type { Demo } from './demo.ts'
import { type TestSite, until } from './site.ts'

export interface Vm {
  uuid: string
  ip: string
  nic: string
  tap: string
}

export function vmOf(inventory: Row): Vm {
  const nic = (inventory['vmNics'] as Row[])[0]!
  return {
    uuid: inventory['uuid'] as string,
    ip: nic['ip'] as string,
    nic: nic['uuid'] as string,
    tap: nic['internalName'] as string,
  }
}

export const makeVm = async (site: TestSite, demo: Demo, name: string): Promise<Vm> =>
  vmOf(await site.call('CreateVmInstance', { name, ...demo.vmParams }))

/** Destroys and expunges it. */
export async function gone(site: TestSite, vm: Vm): Promise<void> {
  await site.call('DestroyVmInstance', { uuid: vm.uuid })
  await site.call('ExpungeVmInstance', { uuid: vm.uuid })
}

export const stateOf = async (site: TestSite, vm: Vm): Promise<unknown> => (await site.client.get('vm', vm.uuid))['state']

/** Agents report within a second or two; what must be so in the end is waited for, not timed. */
export const clean = (site: TestSite) =>
  until('an audit without differences', 60_000, async () => {
    const { differences } = await site.client.auditHosts()
    if (differences.length > 0) throw new Error(JSON.stringify(differences, null, 1))
    return true
  })
