/** What a VM's system tags say to its guest, from the call to the disk that the guest reads, on a site in memory. */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { Row } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { hurried } from '../harness/hurried.ts'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM5YmU3 me@home'
const CLOUD_CONFIG = '#cloud-config\nruncmd:\n  - [echo, "canary-31c7 ☂"]\n'
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')
const soon = { timeout: 15_000, interval: 10 }

let site: SmallSite
let world: SmallWorld
let own: OwnClient
beforeAll(async () => {
  site = await startSmallSite()
  world = await makeSmallWorld(site)
  own = new OwnClient(site.url, site.client.session)
})
afterAll(async () => {
  await site?.stop()
  expect(site.errors).toEqual([])
})

const params = (more: Row = {}) => ({
  ...{ name: 'web', instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3], ...more },
})
const make = (systemTags: string[], more: Row = {}) => site.client.uuid('CreateVmInstance', params({ systemTags, ...more }))
/** The disk in a VM's definition, as its next start takes it, from which its guest learns who it is. */
const drive = async (uuid: string) => {
  const xml = await site.machine.libvirt.call('domainXml', { uuid, inactive: true }, { timeoutMs: 5_000 })
  return parseDomain(xml).disks.find((disk) => disk.device === 'disk' && disk.readonly)?.file ?? undefined
}
const seed = async (vm: string) => {
  const path = await drive(vm)
  return path === undefined ? undefined : (await site.machine.host.fatImages.read(path))?.files
}
const gone = async (vm: string) => {
  await site.client.call('DestroyVmInstance', { uuid: vm })
  await site.client.call('ExpungeVmInstance', { uuid: vm })
}

describe('what tags say to a guest', () => {
  test('lies on a disk of its VM: name, keys, network and user data', async () => {
    const vm = await make([
      'hostname::shop-7.example',
      `sshkey::${KEY}`,
      `sshkey::${KEY} too`,
      `userdata::${base64(CLOUD_CONFIG)}`,
    ])
    const nic = [...site.controller.state.graph.by('vmNic', 'vmInstanceUuid', vm)].map(
      (k) => site.controller.state.graph.get('vmNic', k)!,
    )[0]!
    const files = (await seed(vm))!
    expect(files['user-data']).toBe(CLOUD_CONFIG)
    expect(files['meta-data']).toMatch(new RegExp(`^instance-id: ${vm.slice(0, 8)}-`))
    expect(files['meta-data']).toContain('local-hostname: shop-7.example\n')
    for (const key of [KEY, `${KEY} too`]) expect(files['meta-data']).toContain(`  - ${key}\n`)
    expect(files['network-config']).toContain(`macaddress: ${nic['mac']}\n`)
    expect(files['network-config']).toContain('dhcp4: true')
    await site.settled()
    expect((await (await hurried(site.url, 30)).auditHosts()).differences).toEqual([])
    const path = (await drive(vm))!
    await gone(vm)
    await vi.waitFor(() => expect(site.machine.host.disk.files.has(path)).toBe(false), soon)
  })

  test('names a guest after its VM where only a key is given, and is nothing where nothing is said', async () => {
    const [keyed, plain] = [await make([`sshkey::${KEY}`], { name: 'Shop Front' }), await make([])]
    expect(await seed(keyed)).toMatchObject({
      'meta-data': expect.stringContaining('local-hostname: shop-front\n'),
      'user-data': '#cloud-config\n{}\n',
    })
    expect(await drive(plain)).toBeUndefined()
    for (const vm of [keyed, plain]) await gone(vm)
  })

  test('follows tags that come, change and go, from the next start on; the instance stays the same', async () => {
    const vm = await make([])
    await site.client.call('CreateSystemTag', { resourceType: 'VmInstanceVO', resourceUuid: vm, tag: 'hostname::one' })
    await vi.waitFor(async () => expect(await seed(vm)).toBeDefined(), soon)
    const first = (await seed(vm))!['meta-data']!
    const tags = site.controller.state.graph.by('tag', 'resourceUuid', vm)
    const [tagUuid] = [...tags]
    await site.client.call('UpdateSystemTag', { uuid: tagUuid, tag: 'hostname::two' })
    await vi.waitFor(async () => expect((await seed(vm))?.['meta-data']).toBe(first.replace('one', 'two')), soon)
    await site.client.call('DeleteTag', { uuid: tagUuid })
    await site.client.call('StopVmInstance', { uuid: vm, type: 'cold' })
    await vi.waitFor(async () => expect(await drive(vm)).toBeUndefined(), soon)
    await gone(vm)
  })

  test('tells the addresses themselves where the network has no DHCP', async () => {
    const l3 = await site.client.uuid('CreateL3Network', { name: 'bare', l2NetworkUuid: world.l2 })
    await site.client.call('AddIpRangeByNetworkCidr', { name: 'r', l3NetworkUuid: l3, networkCidr: '10.9.0.0/20' })
    const vm = await make(['hostname::static'], { l3NetworkUuids: [l3] })
    const config = (await seed(vm))!['network-config']!
    expect(config).toMatch(/addresses:\n +- 10\.9\.\d+\.\d+\/20\n/)
    expect(config).toMatch(/routes:\n +- to: 0\.0\.0\.0\/0\n +via: 10\.9\.\d+\.\d+\n/)
    expect(config).not.toContain('dhcp4')
    await gone(vm)
  })
})

describe('tags that no guest could use', () => {
  test.each<[string, string[], RegExp]>([
    ['a host name with a space', ['hostname::my shop'], /hostname::… is no host name/],
    ['a host name that ends in a dash', ['hostname::shop-'], /is no host name/],
    ['two host names', ['hostname::a', 'hostname::b'], /one hostname/],
    ['a key of another kind', ['sshkey::PRIVATE KEY AAAAAAAAAAAAAAAAAAAAAAAA'], /sshkey::… is no public SSH key/],
    ['a key with a newline', [`sshkey::${KEY}\nssh-ed25519 AAAA`], /one line/],
    ['user data that is not base64', ['userdata::#cloud-config'], /userdata::… is not base64/],
    ['base64 without padding', ['userdata::YQ'], /is not base64/],
    ['bytes that are no text', [`userdata::${base64(new Uint8Array([0x1f, 0x8b, 0xff]))}`], /UTF-8/],
    ['a text with a NUL', [`userdata::${base64('a\0b')}`], /UTF-8/],
    ['more than fits', [`userdata::${base64('x'.repeat(49_153))}`], /at most 49152/],
    ['two texts', [`userdata::${base64('a')}`, `userdata::${base64('b')}`], /one userdata/],
  ])('%s: refused before anything is made, without showing what was sent', async (_, systemTags, why) => {
    const before = site.controller.state.graph.count('vmInstance')
    const { status, body } = await own.call('CreateVmInstance', params({ systemTags }))
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toMatch(why)
    for (const tag of systemTags.filter((one) => one.startsWith('userdata::')))
      expect(JSON.stringify(body)).not.toContain(tag.slice('userdata::'.length))
    expect(site.controller.state.graph.count('vmInstance')).toBe(before)
  })

  test('are refused on a VM that is there, too', async () => {
    const vm = await make([])
    const tag = { resourceType: 'VmInstanceVO', resourceUuid: vm, tag: 'hostname::-' }
    expect(await own.call('CreateSystemTag', tag)).toMatchObject({ status: 400 })
    await gone(vm)
  })

  test('of the largest that fits are handed on whole', async () => {
    const text = `#!/bin/sh\n${'x'.repeat(49_152 - 10)}`
    const vm = await make([`userdata::${base64(text)}`])
    expect((await seed(vm))!['user-data']).toBe(text)
    await gone(vm)
  })
})

describe('SSH key pairs', () => {
  const call = (api: string, params: Row) => site.client.call(api, params)
  const create = (publicKey: string) => site.client.uuid('CreateSshKeyPair', { name: 'key', publicKey })
  /** Lines of keys on the disk of the VM. */
  const told = async (vm: string) => (await seed(vm))?.['meta-data']?.match(/ {2}- ssh-.*/g)?.map((line) => line.slice(4))

  test('are told to the guests that they are attached to, and no longer when they are detached or deleted', async () => {
    const vm = await make([`sshkey::${KEY}`])
    const [same, second, third] = [await create(KEY), await create(`${KEY} 2`), await create(`${KEY} 3`)]
    const attach = (sshKeyPairUuid: string) => call('AttachSshKeyPairToVmInstance', { sshKeyPairUuid, vmInstanceUuid: vm })
    for (const key of [same, second]) await attach(key)
    await vi.waitFor(async () => expect(await told(vm)).toEqual([KEY, `${KEY} 2`]), soon)
    await expect(attach(same)).rejects.toThrow(/already/)
    await attach(third)
    await call('DetachSshKeyPairFromVmInstance', { sshKeyPairUuid: second, vmInstanceUuid: vm })
    await vi.waitFor(async () => expect(await told(vm)).toEqual([KEY, `${KEY} 3`]), soon)
    await attach(second)
    await call('DeleteSshKeyPair', { uuid: third })
    await call('DetachSshKeyPairFromVmInstance', { sshKeyPairUuid: same, vmInstanceUuid: vm })
    await call('UpdateVmInstance', { uuid: vm, name: 'renamed' })
    await vi.waitFor(async () => expect(await told(vm)).toEqual([KEY, `${KEY} 2`]), soon)
    await gone(vm)
  })

  test('give a VM without tags a disk, and let go of one that is expunged', async () => {
    const [vm, key] = [await make([]), await create(KEY)]
    await call('AttachSshKeyPairToVmInstance', { sshKeyPairUuid: key, vmInstanceUuid: vm })
    await vi.waitFor(async () => expect(await told(vm)).toEqual([KEY]), soon)
    await gone(vm)
    expect(site.controller.state.graph.get('sshKeyPair', key)).toMatchObject({ vmInstanceUuids: [] })
  })

  test('are generated: the private key fits the public one, is told once and kept nowhere', async () => {
    const { inventory } = (await call('GenerateSshKeyPair', { name: 'made' })) as { inventory: Record<string, string> }
    const { e, n } = createPublicKey(createPrivateKey(inventory['privateKey']!)).export({ format: 'jwk' })
    const blob = Buffer.from(inventory['publicKey']!.split(' ')[1]!, 'base64')
    const fields: Buffer[] = []
    for (let at = 0; at < blob.length; at += 4 + blob.readUInt32BE(at))
      fields.push(blob.subarray(at + 4, at + 4 + blob.readUInt32BE(at)))
    expect(fields[0]!.toString()).toBe('ssh-rsa')
    // A number whose highest bit is set has a zero byte before it, or it would be negative.
    expect(fields.map((f) => f[0]! >= 0x80)).toEqual([false, false, false])
    expect(fields.slice(1).map((f) => f.subarray(f[0] === 0 ? 1 : 0).toString('base64url'))).toEqual([e, n])
    const found = await site.client.send({ method: 'GET', path: `/ssh-key-pair/${inventory['uuid']}` })
    expect(found.body?.['inventories']).toEqual([expect.objectContaining({ name: 'made', publicKey: inventory['publicKey'] })])
    expect(found.text + site.state()).not.toContain('PRIVATE')
  })

  test.each(['no key', 'ssh-ed25519 AAAA', `${KEY}\nssh-rsa AAAA`, `command="sh" ${KEY}`, ''])(
    'are refused where they are none: %j',
    async (text) => {
      const before = site.state()
      await expect(create(text)).rejects.toThrow(/publicKey/)
      expect(site.state()).toBe(before)
    },
  )
})
