/** The guard against images that the real qemu-img made, and against qemu-img's own verdict on spoilt ones. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { GUARD_BYTES, guardImage, realExec } from '../src/index.ts'
import { bend, mutations } from './qcow2-cases.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const exec = realExec()
const quick = { timeoutMs: 20_000 }
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-guard-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const create = async (name: string, ...args: string[]) => {
  await exec.run('qemu-img', ['create', '-q', ...args.slice(0, -1), join(dir, name), args.at(-1) ?? ''].filter(Boolean), quick)
  return readFile(join(dir, name))
}
const judge = (bytes: Uint8Array, declared: 'qcow2' | 'raw' = 'qcow2') =>
  guardImage({ head: bytes.subarray(0, GUARD_BYTES), fileSizeBytes: bytes.length, declared })

describe.runIf(requireOrSkip('the image guard against qemu-img', { programs: ['qemu-img'] }))('the image guard', () => {
  it.each([
    ['default', []],
    ['version 2', ['-o', 'compat=0.10']],
    ['2 MiB clusters', ['-o', 'cluster_size=2M']],
    ['512-byte clusters', ['-o', 'cluster_size=512']],
    ['zstd', ['-o', 'compression_type=zstd']],
    ['extended L2', ['-o', 'extended_l2=on,cluster_size=128k']],
    ['lazy refcounts', ['-o', 'lazy_refcounts=on']],
    ['preallocated', ['-o', 'preallocation=metadata']],
  ])('accepts what qemu-img makes: %s', async (name, options) => {
    const bytes = await create(`${name.replaceAll(' ', '-')}.qcow2`, '-f', 'qcow2', ...options, '256M')
    expect(judge(bytes)).toEqual({ ok: true, format: 'qcow2', virtualSizeBytes: 256 * 1024 ** 2 })
  })

  it('accepts an image with internal snapshots', async () => {
    await create('snap.qcow2', '-f', 'qcow2', '10M')
    await exec.run('qemu-img', ['snapshot', '-c', 'one', join(dir, 'snap.qcow2')], quick)
    expect(judge(await readFile(join(dir, 'snap.qcow2'))).ok).toBe(true)
  })

  it('refuses an image that qemu-img laid over /etc/passwd, under its true and under a false format', async () => {
    const bytes = await create('evil.qcow2', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', '10M')
    expect(judge(bytes)).toEqual({ ok: false, reason: 'it names a backing file (/etc/passwd)' })
    expect(judge(bytes, 'raw')).toEqual({ ok: false, reason: 'declared as raw, but it begins like qcow2' })
  })

  it('refuses an image whose data lies in another file', async () => {
    const bytes = await create('split.qcow2', '-f', 'qcow2', '-o', `data_file=${join(dir, 'data')},data_file_raw=on`, '1M')
    expect(judge(bytes)).toEqual({ ok: false, reason: 'it names an external data file' })
  })

  it.each([
    ['vmdk', []],
    ['vdi', []],
    ['vpc', []],
    ['vhdx', []],
    ['qed', []],
    ['vmdk', ['-o', 'subformat=monolithicFlat']],
  ])('refuses a real %s that is declared as raw (%j)', async (format, options) => {
    const bytes = await create(`x-${format}-${options.length}`, '-f', format, ...options, '10M')
    expect(judge(bytes, 'raw').ok).toBe(false)
  })

  it.each(mutations)('refuses a real image spoilt by $name', async ({ change }) => {
    const bytes = bend(new Uint8Array(await create('base.qcow2', '-f', 'qcow2', '10M')), change)
    expect(judge(bytes).ok).toBe(false)
  })

  it('accepts nothing that qemu-img then can’t open, over every single spoilt header byte', async () => {
    const sound = new Uint8Array(await create('fuzz.qcow2', '-f', 'qcow2', '10M'))
    const path = join(dir, 'fuzzed.qcow2')
    const accepted: number[] = []
    for (let at = 4; at < 112; at++) {
      const bytes = sound.slice()
      bytes[at] = (bytes[at] ?? 0) ^ 0x81
      if (judge(bytes).ok) {
        accepted.push(at)
        await writeFile(path, bytes)
        await exec.run('qemu-img', ['info', '-f', 'qcow2', path], quick)
      }
    }
    // compatible and auto-clear features, the snapshot offset of no snapshots, a dirty bit: few, and all harmless
    expect(accepted.length).toBeLessThan(40)
  })
})
