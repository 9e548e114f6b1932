/** A small site with one of everything: the way out of the tour is walked, and what it made stays. */
import type { Row } from '@skerry/contract'
import type { SmallSite } from './small-site.ts'
import { putUserImage, putUserIso } from './small-world.ts'
import { type Made, outward } from './tour.ts'
import { noteRule } from './tour-security.ts'
import { newUuid } from './zstack-client.ts'

/** @param site one with `tourServers()` */
export async function makeByTour(site: SmallSite): Promise<Made> {
  const made: Made = {}
  await putUserImage(site)
  putUserIso(site)
  for (const { api, params, keep } of outward) {
    const answer = await site.client.call(api, params(made))
    const inventory = answer['inventory'] as Row | undefined
    noteRule(made, answer)
    if (keep && inventory) made[keep] = inventory['uuid'] as string
    if (keep !== 'vm') continue
    made['volume'] = inventory!['rootVolumeUuid'] as string
    made['nic'] = (inventory!['vmNics'] as Row[])[0]!['uuid'] as string
    made['secondL3'] = made['l3']!
    made['thirdL3'] = made['l3']!
    made['formerIp'] = ((inventory!['vmNics'] as Row[])[0]!['usedIps'] as Row[])[0]!['uuid'] as string
  }
  made['session'] = newUuid()
  return made
}
