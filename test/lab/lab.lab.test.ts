/** The lab itself: what a suite relies on when it says that something was shown in there. */
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Lab, SHARE, startLab, volatileDisk } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labRuns, SLOW_MS } from './lab-site.ts'

const MIB = 1024 ** 2
const BLOCK = 4096
const limit = { timeoutMs: SLOW_MS }

let dir: string
const labs: Lab[] = []
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-lab-test-'))
})
afterAll(async () => {
  for (const lab of labs) await lab.dispose()
  await rm(dir, { recursive: true, force: true })
})

async function start(options: Parameters<typeof startLab>[0] = {}): Promise<Lab> {
  const lab = await startLab({ cpus: 1, memoryMib: 512, ...options })
  labs.push(lab)
  return lab
}

async function bytesAt(path: string, offset: number): Promise<string> {
  const file = await open(path)
  try {
    const { buffer } = await file.read({ buffer: Buffer.alloc(4), position: offset })
    return buffer.toString()
  } finally {
    await file.close()
  }
}

describe.skipIf(!labRuns('the kernel lab'))('the kernel lab', () => {
  test('runs commands over this tree with Debian’s kernel: output, exit code, modules that this machine lacks', async () => {
    const lab = await start()
    expect(await lab.run(['cat', import.meta.filename], limit)).toMatchObject({
      code: 0,
      stdout: await readFile(import.meta.filename, 'utf8'),
    })
    expect(await lab.run(['ls', '/no/such/folder'], { ...limit, env: { LC_ALL: 'C' } })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('No such file or directory'),
    })
    await lab.must(['modprobe', '-a', 'dm_flakey', '8021q', 'esp4', 'nf_conntrack_bridge', 'ip_vs'], limit)
    await lab.must(['touch', '/only-in-memory'], limit)
    await expect(readFile('/only-in-memory')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(lab.run(['sleep', '1000'], { timeoutMs: 500 })).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await lab.off()
    expect(await lab.console()).toContain('Power down')
    await expect(lab.run(['true'], limit)).rejects.toMatchObject({ code: 'host-command-failed' })
  })

  test('a kernel that dies is an error with the last lines of the console, and no hang', async () => {
    const lab = await start()
    const panic = lab.run([process.execPath, '-e', 'require("fs").writeFileSync("/proc/sysrq-trigger", "c")'], limit)
    await expect(panic).rejects.toThrow(/ended[\s\S]*sysrq triggered crash/)
  })

  test('when the plug is pulled, the disk holds what was flushed and not what was only written', async () => {
    const disk = await volatileDisk(dir, 64)
    const lab = await start({ disks: [await disk.plug()] })
    // Past the lab's page cache, so that both reach the disk; only the first asks it for a flush.
    const blocks = { flushed: (40 * MIB) / BLOCK, written: (44 * MIB) / BLOCK }
    const source = join(lab.share, 'block')
    await writeFile(source, 'KEPT'.repeat(BLOCK / 4))
    const dd = (block: number, ...more: string[]) => [
      'dd',
      `if=${SHARE}/block`,
      'of=/dev/vda',
      'bs=4096',
      `seek=${block}`,
      ...more,
    ]
    await lab.must(dd(blocks.flushed, 'oflag=direct', 'conv=fsync'), limit)
    await lab.must(dd(blocks.written, 'oflag=direct'), limit)
    await lab.cut()
    await disk.settle()
    const raw = join(dir, 'disk.raw')
    expect(await bytesAt(raw, blocks.flushed * BLOCK)).toBe('KEPT')
    expect(await bytesAt(raw, blocks.written * BLOCK)).toBe('\0\0\0\0')
  })
})
