/** A disk that begins to fail under the running controller: real EIO from the device mapper, not a fake's. */
import { SkerryError } from '@skerry/contract'
import { createClient } from '@skerry/sdk'
import type { Lab } from '@skerry/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { until } from '../harness/site.ts'
import { broken } from './kept.ts'
import { type LabSite, labRuns, SLOW_MS, STATE, startLabSite } from './lab-site.ts'
import { Promises, startWriters } from './writers.ts'

const MINUTES_20 = 1_200_000
const NAME = 'skerry'
const DEVICE = `/dev/mapper/${NAME}`
const limit = { timeoutMs: SLOW_MS }

let site: LabSite | undefined
afterAll(() => site?.stop())

/** `flakey`: every write fails, reads are answered. */
const table = (sectors: string, failing: boolean) =>
  failing ? `0 ${sectors} flakey /dev/vda 0 0 3600 1 error_writes` : `0 ${sectors} linear /dev/vda 0`

async function mapped(lab: Lab): Promise<string> {
  await lab.must(['modprobe', '-a', 'dm_mod', 'dm_flakey'], limit)
  const sectors = await sectorsOf(lab)
  // no udev in the lab: dmsetup makes the node by itself
  await lab.must(['dmsetup', '--noudevsync', 'create', NAME, '--table', table(sectors, false)], limit)
  await lab.must(['dmsetup', 'mknodes'], limit)
  return DEVICE
}

const sectorsOf = async (lab: Lab) => (await lab.must(['blockdev', '--getsz', '/dev/vda'], limit)).trim()

async function setFailing(lab: Lab, failing: boolean): Promise<void> {
  const sectors = await sectorsOf(lab)
  // no flush and no freeze: what is under way must meet the error
  await lab.must(['dmsetup', '--noudevsync', 'suspend', '--noflush', '--nolockfs', NAME], limit)
  await lab.must(['dmsetup', '--noudevsync', 'load', NAME, '--table', table(sectors, failing)], limit)
  await lab.must(['dmsetup', '--noudevsync', 'resume', NAME], limit)
}

describe.skipIf(!labRuns('disk errors'))('a disk whose writes fail', () => {
  test('writes answer 503 store-stopped for good, reads go on; on a healed disk a restart has all that was acknowledged', {
    timeout: MINUTES_20,
  }, async () => {
    const begun = await startLabSite()
    site = begun.site
    await site.off(begun.running)
    const running = await site.boot({ device: mapped })
    const { lab } = running
    const promised = new Promises()
    const writing = startWriters(site, promised, ['zones', 'counter'])
    await until('acknowledged writes', SLOW_MS, () => promised.acknowledged >= 20)

    await setFailing(lab, true)
    await expect(writing.ended).rejects.toMatchObject({ code: 'store-stopped' })
    const client = createClient({ baseUrl: site.url, session: site.client.session })
    const refused = async () => {
      const answer = await fetch(`${site!.url}/v1/zones`, {
        method: 'POST',
        headers: { authorization: `Bearer ${site!.client.session}`, 'content-type': 'application/json' },
        body: JSON.stringify({ params: { name: 'never' } }),
      })
      expect(answer.status).toBe(503)
      expect(await answer.json()).toMatchObject({ code: 'store-stopped' })
    }
    await refused()
    expect((await client.query('zone', { limit: 1_000 })).inventories.length).toBeGreaterThan(promised.zones.size)
    expect((await fetch(`${site.url}/readyz`)).ok).toBe(false)

    // A disk that works again is no reason to go on: nobody knows what it lost.
    await setFailing(lab, false)
    await refused()
    await running.controller.kill('SIGKILL')
    await running.controller.ended
    await lab.must(['umount', STATE], limit)
    const { code } = await lab.run(['fsck.ext4', '-p', DEVICE], limit)
    expect(code, 'fsck found nothing that it could not mend').toBeLessThan(4)
    await lab.must(['mount', DEVICE, STATE], limit)
    running.controller = await site.startIn(lab)
    expect(await broken(site, promised)).toEqual([])
    await expect(client.call('CreateZone', { name: 'again' })).resolves.not.toBeInstanceOf(SkerryError)
    await site.cut(running)
  })
})
