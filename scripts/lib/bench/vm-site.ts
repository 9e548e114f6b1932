/**
 * A process of `vm.ts`, inside network and mount namespaces of its own. Starting a real VM: from the API call to its job's end (the guest's processor runs) against define + create of the same
 * domain, with a disk and a card of its own, through the same libvirt binding on the same libvirtd. In pairs, each time the
 * other one first, so that page cache and clock drift fall on both.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Row } from '../../../packages/contract/src/index.ts'
import { type Libvirt, superviseLibvirt } from '../../../packages/libvirt/src/index.ts'
import { makeDemo } from '../../../test/harness/demo.ts'
import { startSite, type TestSite } from '../../../test/harness/site.ts'

const TIMEOUT_MS = 60_000
/** Not counted: they warm the page cache with qemu, its libraries and the image. */
const WARM_UP = 2

interface Twin {
  uuid: string
  xml: string
}

/** The VM's own domain under another name, on copies of what it can't share: its disk and its tap device. */
async function twinOf(libvirt: Libvirt, site: TestSite, vm: Row): Promise<Twin> {
  const theirs = vm['uuid'] as string
  const live = await libvirt.call('domainXml', { uuid: theirs, inactive: true }, { timeoutMs: TIMEOUT_MS })
  const disk = /<source file='([^']+)'/.exec(live)?.[1]
  const tap = /<interface[\s\S]*?<target dev='([^']+)'/.exec(live)?.[1]
  const sockets = /<source mode='bind' path='([^']+)\/serial'/.exec(live)?.[1]
  if (!disk || !tap || !sockets) throw new Error(`the VM's domain has no disk, no card or no console:\n${live}`)
  const folder = join(site.dir, 'twin')
  await mkdir(folder)
  const copy = join(site.dir, 'twin.qcow2')
  await copyFile(disk, copy)
  const uuid = randomUUID()
  const xml = live
    .replace(/<name>[^<]*<\/name>/, '<name>bench-twin</name>')
    .replace(/<uuid>[^<]*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    // Our mark goes, so that the agent leaves the twin alone.
    .replace(/<metadata>[\s\S]*?<\/metadata>/, '')
    .replace(disk, copy)
    .replace(`<target dev='${tap}'`, "<target dev='benchtap0'")
    .replace(/<mac address='[^']*'\/>/, "<mac address='fa:be:9c:00:00:01'/>")
    .replaceAll(sockets, folder)
  return { uuid: uuid.replaceAll('-', ''), xml }
}

/** Milliseconds of define + create; afterwards the twin is gone again. */
async function rawStart(libvirt: Libvirt, { uuid, xml }: Twin): Promise<number> {
  const o = { timeoutMs: TIMEOUT_MS }
  const began = performance.now()
  await libvirt.call('domainDefineXml', { xml }, o)
  await libvirt.call('domainCreate', { uuid }, o)
  const ms = performance.now() - began
  await libvirt.call('domainDestroy', { uuid }, o)
  await libvirt.call('domainUndefine', { uuid, nvram: true, managedSave: true, snapshotsMetadata: true }, o)
  return ms
}

/** Milliseconds from the call of StartVmInstance to the answer that it runs. */
async function apiStart(site: TestSite, uuid: string): Promise<number> {
  const began = performance.now()
  const vm = await site.call('StartVmInstance', { uuid })
  const ms = performance.now() - began
  if (vm['state'] !== 'Running') throw new Error(`the VM is ${vm['state']} after StartVmInstance`)
  await site.call('StopVmInstance', { uuid, type: 'cold' })
  return ms
}

async function pairs(site: TestSite, libvirt: Libvirt, count: number): Promise<{ raw: number[]; api: number[] }> {
  const demo = await makeDemo(site)
  const vm = await site.call('CreateVmInstance', { name: 'bench', ...demo.vmParams })
  const uuid = vm['uuid'] as string
  const twin = await twinOf(libvirt, site, vm)
  await site.call('StopVmInstance', { uuid, type: 'cold' })
  const raw: number[] = []
  const api: number[] = []
  for (let pair = -WARM_UP; pair < count; pair++) {
    if (pair % 10 === 0) console.error(`  pair ${pair} of ${count}`)
    const first = pair % 2 === 0
    const a = first ? await rawStart(libvirt, twin) : await apiStart(site, uuid)
    const b = first ? await apiStart(site, uuid) : await rawStart(libvirt, twin)
    if (pair < 0) continue
    raw.push(first ? a : b)
    api.push(first ? b : a)
  }
  return { raw, api }
}

async function measure(count: number): Promise<{ raw: number[]; api: number[] }> {
  const site = await startSite()
  const libvirt = superviseLibvirt({ uri: site.libvirtd.uri })
  try {
    return await pairs(site, libvirt, count)
  } finally {
    await libvirt.close()
    await site.stop()
  }
}

process.on('message', ({ pairs }: { pairs: number }) => {
  measure(pairs).then(
    (seen) => process.send?.(seen),
    (error: Error) => process.send?.({ error: error.stack ?? error.message }),
  )
})
