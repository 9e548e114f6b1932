/** What a guest is told at its first boot: from the document to the disk that it reads. */
import type { kvmDesired } from '@skerry/contract'
import { parseDomain } from '@skerry/libvirt'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { seedImage } from '../src/vms/seed.ts'
import { type Bench, bench, STATE } from './bench.ts'
import { doc, id, tomb, vmSpec } from './documents.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM5 "me" & {you}: #1'
const nic = (over: Partial<kvmDesired.GuestSeed['nics'][number]> = {}): kvmDesired.GuestSeed['nics'][number] => ({
  ...{ mac: 'fa:00:00:00:00:01', dhcp: true, defaultRoute: true, address: '10.0.0.5/24', gateway: '10.0.0.1' },
  ...{ dns: ['10.0.0.1'], search: 'site.test', ...over },
})
const seed = (over: Partial<kvmDesired.GuestSeed> = {}): kvmDesired.GuestSeed => ({
  ...{ hostname: 'web.site.test', sshKeys: [KEY], userData: '#cloud-config\nruncmd: [canary-7f3a]\n', nics: [nic()], ...over },
})
/** As cloud-init reads: YAML 1.1. */
const read = (text: string | undefined) => parse(text ?? '', { version: '1.1' }) as unknown

describe('the texts on a seed', () => {
  test('name the guest by its uuid, which stays whatever else changes, and hand on its keys as they are', () => {
    const { label, files } = seedImage(id('a'), seed())
    expect(label).toBe('cidata')
    expect(read(files['meta-data'])).toEqual({
      'instance-id': 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
      'local-hostname': 'web.site.test',
      'public-keys': [KEY],
    })
    expect(read(seedImage(id('a'), seed({ hostname: 'no', sshKeys: [] })).files['meta-data'])).toEqual({
      'instance-id': 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa',
      'local-hostname': 'no',
    })
  })

  test('keep values that YAML would read as something else, and long keys on one line', () => {
    const long = `ssh-rsa ${'A'.repeat(700)} me`
    const mac = '52:54:00:12:34:56'
    const { files } = seedImage(id('a'), seed({ hostname: '007', sshKeys: [long, KEY], nics: [nic({ mac })] }))
    expect(read(files['meta-data'])).toMatchObject({ 'local-hostname': '007', 'public-keys': [long, KEY] })
    expect(read(files['network-config'])).toMatchObject({ ethernets: { eth0: { match: { macaddress: mac } } } })
    for (const hostname of ['yes', 'off', '1e3', '0x1f', 'null', '12.30'])
      expect(read(seedImage(id('a'), seed({ hostname })).files['meta-data'])).toMatchObject({ 'local-hostname': hostname })
    expect(files['meta-data']).toContain(long)
  })

  test('hand user data on to the letter, and have an empty one for a guest that has none', () => {
    expect(seedImage(id('a'), seed()).files['user-data']).toBe('#cloud-config\nruncmd: [canary-7f3a]\n')
    expect(seedImage(id('a'), seed({ userData: null })).files['user-data']).toBe('#cloud-config\n{}\n')
  })

  test('let cards ask DHCP where there is one, and tell the rest; only one card leads outside', () => {
    const other = 'fa:00:00:00:00:02'
    const nics = [nic(), nic({ mac: other, dhcp: false, defaultRoute: false, address: '10.1.0.5/16', dns: [] })]
    expect(read(seedImage(id('a'), seed({ nics })).files['network-config'])).toEqual({
      version: 2,
      ethernets: {
        eth0: { match: { macaddress: 'fa:00:00:00:00:01' }, 'set-name': 'eth0', dhcp4: true },
        eth1: { match: { macaddress: other }, 'set-name': 'eth1', addresses: ['10.1.0.5/16'] },
      },
    })
    const swapped = [nic({ defaultRoute: false }), nic({ mac: other, dhcp: false })]
    expect(read(seedImage(id('a'), seed({ nics: swapped })).files['network-config'])).toMatchObject({
      ethernets: {
        eth0: { dhcp4: true, 'dhcp4-overrides': { 'use-routes': false } },
        eth1: {
          addresses: ['10.0.0.5/24'],
          routes: [{ to: '0.0.0.0/0', via: '10.0.0.1' }],
          nameservers: { addresses: ['10.0.0.1'], search: ['site.test'] },
        },
      },
    })
  })
})

describe('a VM with a seed', () => {
  let b: Bench
  afterEach(() => b.stop())
  const [vm, folder] = [id(1), `${STATE}/vms/${id(1)}`]
  const seeds = async () => ((await b.host.files.list(folder)) ?? []).filter((name) => name.startsWith('seed-'))
  const drive = async () => {
    const xml = await b.libvirt.call('domainXml', { uuid: vm, inactive: true }, { timeoutMs: 1_000 })
    return parseDomain(xml).disks.find((disk) => disk.target === 'vdz')
  }
  const synced = async (seq: number, over: Partial<kvmDesired.VmSpec>) => {
    await b.sync({ ...doc('vm', vm, seq, vmSpec('1', over)), schema: 2 })
    await vi.waitFor(() => expect(b.last(vm)).toMatchObject({ generation: { seq }, condition: 'Ready' }), 10_000)
  }

  test('starts with a disk that only its owner may read, which the guest may not write', async () => {
    b = await bench()
    await b.start()
    await synced(1, { seed: seed() })
    const [name] = await seeds()
    expect(await drive()).toMatchObject({ file: `${folder}/${name}`, readonly: true, format: 'raw', serial: null })
    expect((await b.host.files.stat(`${folder}/${name}`))?.mode).toBe(0o600)
    expect(await b.host.fatImages.read(`${folder}/${name}`)).toEqual(seedImage(vm, seed()))
  })

  test('gets another disk when what it is told changes, from its next start on; none when nothing is left to tell', async () => {
    b = await bench()
    await b.start()
    await synced(1, { seed: seed() })
    const [before] = await seeds()
    await synced(2, { seed: seed({ hostname: 'other' }) })
    const [after, ...more] = await seeds()
    expect([after === before, more]).toEqual([false, []])
    expect(await drive()).toMatchObject({ file: `${folder}/${after}` })
    expect(b.last(vm)?.observed).toMatchObject({ power: 'Running', pendingChange: true })
    await synced(3, {})
    await vi.waitFor(async () => expect(await seeds()).toEqual([]), 10_000)
    expect(await drive()).toBeUndefined()
  })

  test('is told again what was deleted, and leaves nothing when it goes', async () => {
    b = await bench()
    const { agent } = await b.start()
    await synced(1, { seed: seed() })
    const [name] = await seeds()
    await b.host.files.remove(`${folder}/${name}`)
    agent.signal()
    await vi.waitFor(async () => expect(await seeds()).toEqual([name]), 10_000)
    await b.sync(tomb('vm', vm, 2))
    await vi.waitFor(async () => expect(await b.host.files.stat(folder)).toBeUndefined(), 10_000)
  })

  test('whose definition fails leaves no seed behind when it goes', async () => {
    b = await bench()
    await b.start()
    await b.sync({ ...doc('vm', vm, 1, vmSpec('1', { seed: seed(), memoryBytes: 1 })), schema: 2 })
    await vi.waitFor(async () => expect(await seeds()).toHaveLength(1), 10_000)
    await b.sync(tomb('vm', vm, 2))
    await vi.waitFor(async () => expect(await seeds()).toEqual([]), 10_000)
  })

  test('shows nothing of its user data in what a dry run would do', async () => {
    b = await bench()
    await b.start()
    const document = { ...doc('vm', vm, 1, vmSpec('1', { seed: seed() })), schema: 2 }
    const told = JSON.stringify(await b.ask('plan', { documents: [document], epoch: 1 }))
    expect(told).toContain('"op":"seed"')
    expect(told).not.toContain('canary-7f3a')
  })
})
