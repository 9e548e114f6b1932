/** [format] Marks of pools and references of images that earlier versions wrote: without them their data would count as somebody else's. */
import { readFileSync } from 'node:fs'
import { fakeHost } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { ImageStore } from '../src/images/store.ts'
import { apply } from '../src/pools/apply.ts'
import { lookAtFolder, MARKER } from '../src/pools/folder.ts'

const golden = (name: string) => readFileSync(new URL(`golden/${name}-v1.json`, import.meta.url), 'utf8')
const STORE = '/data/images'
const uuid = '6527c9361a2f469c5275afcb5d06e530'
const image = '5bce98f73f3ed0c837f2729ed9509b38'

/** A machine on which version 1 had an image store with one image. */
function machine() {
  const host = fakeHost({})
  const put = (path: string, data: Uint8Array) => {
    host.disk.makeDir(path.slice(0, path.lastIndexOf('/')), 0o755)
    host.disk.put(path, data)
  }
  put(`${STORE}/${MARKER}`, Buffer.from(golden('marker')))
  put(`${STORE}/refs/${image}.json`, Buffer.from(golden('ref')))
  const { sha256, actualSize } = JSON.parse(golden('ref')) as { sha256: string; actualSize: number }
  put(`${STORE}/images/${sha256}.qcow2`, new Uint8Array(actualSize))
  return host
}

describe('an image store of version 1', () => {
  test('is known as ours, and as that of its storage only', async () => {
    const { files } = machine()
    expect(await lookAtFolder(files, STORE, { uuid, kind: 'image-store' })).toMatchObject({ state: 'ours', missing: [] })
    expect(await lookAtFolder(files, STORE, { uuid: image, kind: 'image-store' })).toMatchObject({ state: 'refused' })
  })

  test('gives its images', async () => {
    const store = new ImageStore(machine().files, STORE, new Map())
    expect(await store.find(image)).toEqual(JSON.parse(golden('ref')))
  })
})

describe('what this version writes', () => {
  test('is the reference of version 1, byte for byte', async () => {
    const host = machine()
    const store = new ImageStore(host.files, STORE, new Map())
    const other = uuid
    host.disk.put(store.partPath(other), new Uint8Array(1024))
    await store.take(other, JSON.parse(golden('ref')))
    expect(await host.files.read(`${STORE}/refs/${other}.json`)).toBe(golden('ref'))
  })

  test('is the mark of version 1, byte for byte', async () => {
    const { files } = fakeHost({})
    const change = { uuid, op: 'make' as const, path: STORE, kind: 'image-store' as const, madeFolder: true }
    await apply({ files, setFacts: async () => undefined }, change)
    expect(await files.read(`${STORE}/${MARKER}`)).toBe(golden('marker'))
  })
})
