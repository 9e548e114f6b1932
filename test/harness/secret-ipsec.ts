/** Canaries in the keys of IPsec connections. Leaves nothing behind. */
import type { Row } from '@skerry/contract'
import type { Dialect, Journey } from './secret-attack.ts'
import type { Ground } from './secret-journeys.ts'
import { apiNamed } from './zstack-client.ts'

/** Which parameters of which APIs are filled with canaries here. */
export const coveredOfTunnels: Readonly<Record<string, readonly string[]>> = {
  CreateIPsecConnection: ['authKey'],
  ChangeIPsecConnection: ['authKey'],
}

/** Made, refused, shown as a plan, changed and deleted, by a VIP of a network that is made for it. */
export async function tunnelJourneys({ attack }: Ground, dialect: Dialect, zoneUuid: string): Promise<void> {
  const made = async (api: string, params: Row): Promise<string> => {
    const answer = await attack.call(dialect, apiNamed(api), params)
    const uuid = (answer.body?.['inventory'] as Row | undefined)?.['uuid']
    if (typeof uuid !== 'string') throw new Error(`${api} answered ${answer.status}: ${answer.text.slice(0, 500)}`)
    return uuid
  }
  const l2 = await made('CreateL2NoVlanNetwork', { name: 'tunnels', zoneUuid, physicalInterface: 'none' })
  const l3 = await made('CreateL3Network', { name: 'tunnels', l2NetworkUuid: l2, category: 'Public' })
  await attack.call(dialect, apiNamed('AddIpRangeByNetworkCidr'), {
    name: 'r',
    l3NetworkUuid: l3,
    networkCidr: '198.51.100.0/24',
  })
  const vipUuid = await made('CreateVip', { name: 'tunnels', l3NetworkUuid: l3 })
  const add: Journey = {
    api: 'CreateIPsecConnection',
    secret: 'authKey',
    params: { name: 'branch', vipUuid, peerAddress: '192.0.2.77' },
  }
  await attack.badly(dialect, add, { name: 'nowhere', vipUuid: l3 })
  const uuid = (await attack.well(dialect, add))['uuid'] as string
  const change: Journey = { api: 'ChangeIPsecConnection', secret: 'authKey', params: { uuid, peerAddress: '192.0.2.78' } }
  await attack.badly(dialect, change)
  await attack.well(dialect, change)
  await attack.well(dialect, change)
  await attack.ask(dialect, '/ipsec', 'authKey')
  await attack.call(dialect, apiNamed('DeleteIPsecConnection'), { uuid })
  await attack.call(dialect, apiNamed('DeleteVip'), { uuid: vipUuid })
  await attack.call(dialect, apiNamed('DeleteL2Network'), { uuid: l2 })
}
