/** Verbs on the files of a guest's disk: each has one effect, however often and after whatever it is said again. */
import { parseDomain } from '@skerry/libvirt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Bench, bench } from './bench.ts'
import { doc, gen, id, vmSpec } from './documents.ts'

const vm = id('a')
const volumeUuid = id('c')
const folder = '/var/lib/pool/volumes'
const file = (layer?: string) => `${folder}/${volumeUuid}${layer ? `.${id(layer)}` : ''}.qcow2`
const [first, second, third] = [file(), file('1'), file('2')]

let b: Bench
let running: Awaited<ReturnType<Bench['start']>>
beforeEach(async () => {
  b = await bench()
  b.host.disk.makeDir(folder, 0o755)
  await b.host.qemuImg.create({ path: first, format: 'qcow2', sizeBytes: 1024 ** 2 })
  b.host.disk.put(other.path, new Uint8Array(512))
  running = await b.start()
  await wants(1, first)
  await expect.poll(() => b.last(vm)?.observed['power']).toBe('Running')
})
afterEach(() => b.stop())

/** Another disk besides: with one alone nobody looks what runs. */
const other = { volumeUuid: id('d'), path: `/var/lib/pool/${id('d')}.raw`, format: 'raw' as const, target: 'vdb', boot: false }
const spec = (path: string) =>
  vmSpec('1', { nics: [], disks: [{ volumeUuid, path, format: 'qcow2', target: 'vda', boot: true }, other] })
const wants = (seq: number, path: string) => b.sync(doc('vm', vm, seq, spec(path)))
const over = (path: string, below: string) =>
  b.host.qemuImg.create({ path, format: 'qcow2', backing: { path: below, format: 'qcow2' } })
const writesInto = () => parseDomain(b.domain(vm)!.xml).disks[0]?.file
const below = async (path: string) => (await b.host.qemuImg.info({ path, format: 'qcow2' }))[0]?.backingPath
const calls = (op: string) => b.libvirt.calls.filter((call) => call.op === op).length
const move = (verb: string, from: string, to: string, commandId?: string) =>
  b.command('vm', vm, verb, { volumeUuid, from, to }, commandId)
const pull = (leaving: string, path: string, commandId?: string) =>
  b.command('vm', vm, 'pull-disk', { volumeUuid, path, leaving }, commandId)

test('a guest is moved once, is not restarted for it, and waits for no restart', async () => {
  await over(second, first)
  for (let n = 0; n < 2; n++) expect(await move('switch-disk', first, second)).toEqual({ switched: 'live' })
  expect([writesInto(), calls('domainSnapshotDisks')]).toEqual([second, 1])
  await wants(2, second)
  await expect.poll(() => b.last(vm)).toMatchObject({ generation: gen(2), condition: 'Ready' })
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
  expect([calls('domainCreate'), calls('domainDetachDevice'), calls('domainAttachDevice')]).toEqual([1, 0, 0])
})

test('an agent that begins while a guest is being moved touches nothing', async () => {
  await over(second, first)
  await move('switch-disk', first, second)
  await running.agent.stop()
  const before = [calls('domainXml'), b.statuses.length] as const
  running = await b.start()
  await expect.poll(() => calls('domainXml') > before[0] && b.statuses.length > before[1]).toBe(true)
  expect(b.last(vm)?.condition).toBe('Ready')
  expect([writesInto(), calls('domainDetachDevice'), calls('domainAttachDevice')]).toEqual([second, 0, 0])
})

test('nobody is moved to a file that lies elsewhere, or out of a file that it does not write into', async () => {
  await over(second, first)
  await over(third, first)
  await b.host.qemuImg.create({ path: file('3'), format: 'qcow2', sizeBytes: 1024 ** 2 })
  await expect(move('switch-disk', first, file('3'))).rejects.toMatchObject({ code: 'volume-layered' })
  await expect(move('switch-disk', third, second)).rejects.toMatchObject({ code: 'volume-layered' })
  expect([writesInto(), calls('domainSnapshotDisks')]).toEqual([first, 0])
})

test('an answer of libvirt that came too late is no failure', async () => {
  await over(second, first)
  const { call } = b.libvirt
  b.libvirt.call = (async (op: string, args: never, o: never) => {
    const result = await (call as (...all: unknown[]) => Promise<unknown>).call(b.libvirt, op, args, o)
    if (op === 'domainSnapshotDisks') throw new Error('too late')
    return result
  }) as typeof call
  expect(await move('switch-disk', first, second)).toEqual({ switched: 'live' })
  expect(writesInto()).toBe(second)
})

test('a move is taken back with what was written since, also again', async () => {
  await over(second, first)
  await move('switch-disk', first, second)
  for (let n = 0; n < 2; n++) expect(await move('switch-back', first, second)).toEqual({ switched: 'live' })
  expect([writesInto(), calls('domainBlockCommit')]).toEqual([first, 1])
})

test('out of the middle: what lies above it is copied, and the rest of the chain stays below', async () => {
  await over(second, first)
  await move('switch-disk', first, second)
  await over(third, second)
  await move('switch-disk', second, third)
  for (let n = 0; n < 2; n++) expect(await pull(second, third)).toEqual({ pulled: 'live' })
  expect([await below(third), calls('domainBlockPull')]).toEqual([first, 1])
  expect(await pull(first, third)).toEqual({ pulled: 'live' })
  expect([await below(third), writesInto()]).toEqual([undefined, third])
})

test('a copy that was begun goes on when its agent was restarted, and is begun once', async () => {
  await over(second, first)
  await move('switch-disk', first, second)
  const release = b.libvirt.holdBlockJobs()
  const asked = pull(first, second, 'thesame').catch((error: unknown) => error)
  await expect.poll(() => calls('domainBlockPull')).toBe(1)
  await running.agent.stop()
  await asked
  running = await b.start()
  release()
  expect(await pull(first, second, 'thesame')).toEqual({ pulled: 'live' })
  expect([await below(second), calls('domainBlockPull'), calls('domainBlockJobEnd')]).toEqual([undefined, 1, 0])
})

test('a guest that is off has nothing open', async () => {
  await over(second, first)
  b.libvirt.guestPowersOff(vm)
  expect(await move('switch-disk', first, second)).toEqual({ switched: 'off' })
  expect(await move('switch-back', first, second)).toEqual({ switched: 'off' })
  expect(await pull(first, second)).toEqual({ pulled: 'off' })
  expect(await b.command('vm', vm, 'resize-disk', { volumeUuid, path: first, sizeBytes: 4096 })).toEqual({ resized: 'off' })
})

test('a guest is shown that its disk has grown, once, in whole sectors', async () => {
  const grow = () => b.command('vm', vm, 'resize-disk', { volumeUuid, path: first, sizeBytes: 2 * 1024 ** 2 + 1 })
  for (let n = 0; n < 2; n++) expect(await grow()).toEqual({ resized: 'live' })
  expect((await b.host.qemuImg.info({ path: first, format: 'qcow2' }))[0]?.virtualSizeBytes).toBe(2 * 1024 ** 2 + 512)
  expect(calls('domainBlockResize')).toBe(1)
})

test('a guest is not started on a file that another lies over', async () => {
  b.libvirt.guestPowersOff(vm)
  await over(second, first)
  await b.sync(doc('vm', vm, 3, { ...spec(first), placementEpoch: 2 }))
  await expect.poll(() => b.last(vm)?.error).toMatchObject({ code: 'volume-layered', details: { path: first, over: second } })
  expect(calls('domainCreate')).toBe(1)
  await b.sync(doc('vm', vm, 4, { ...spec(second), placementEpoch: 2 }))
  await expect.poll(() => b.last(vm)?.observed['power']).toBe('Running')
  expect(writesInto()).toBe(second)
})

test('a guest that lost its power while it was moved starts from the file that its document says, when the move is taken back', async () => {
  await over(second, first)
  await move('switch-disk', first, second)
  await b.libvirt.call('domainDestroy', { uuid: vm }, { timeoutMs: 1_000 })
  expect(await move('switch-back', first, second)).toEqual({ switched: 'off' })
  // As agent-storage does then.
  await b.host.files.remove(second)
  await b.sync(doc('vm', vm, 2, { ...spec(first), placementEpoch: 2 }))
  await expect.poll(() => b.last(vm)?.observed['power']).toBe('Running')
  expect(writesInto()).toBe(first)
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
})
