import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseMaps, parseStat, processes } from '../src/index.ts'

const table = processes()

describe('processes', () => {
  it('knows a process by its command line and start time, and loses it when it ends', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const info = await table.get(child.pid ?? 0)
    expect(info).toMatchObject({ pid: child.pid, cmdline: ['sleep', '60'] })
    if (!info) return
    expect((await table.list()).map((other) => other.pid)).toContain(info.pid)
    expect(await table.waitGone(info, 20)).toBe(false)
    expect(await table.signal(info, 'SIGTERM')).toBe(true)
    expect(await table.waitGone(info, 2_000)).toBe(true)
    expect(await table.get(info.pid)).toBeUndefined()
    expect(await table.signal(info, 'SIGTERM')).toBe(false)
  })

  it('never signals a process that only has the same pid', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const info = await table.get(child.pid ?? 0)
    if (!info) throw new Error('it does not run')
    expect(await table.signal({ pid: info.pid, startTicks: info.startTicks + 1 }, 'SIGKILL')).toBe(false)
    expect(await table.get(info.pid)).toEqual(info)
    child.kill('SIGKILL')
  })

  it('takes a zombie for gone', async () => {
    const procRoot = mkdtempSync(join(tmpdir(), 'skerry-proc-'))
    const put = (pid: number, state: string) => {
      mkdirSync(join(procRoot, String(pid)))
      writeFileSync(join(procRoot, String(pid), 'cmdline'), 'daemon\0')
      writeFileSync(join(procRoot, String(pid), 'stat'), `${pid} (daemon) ${state} ${'0 '.repeat(18)}4711 0`)
    }
    put(10, 'S')
    put(11, 'Z')
    expect((await processes({ procRoot }).list()).map((info) => info.pid)).toEqual([10])
    expect(await processes({ procRoot }).get(11)).toBeUndefined()
    rmSync(procRoot, { recursive: true })
  })

  it.each([0, -1, 1.5, Number.NaN, 2 ** 30])('answers undefined for the pid %d', async (pid) => {
    expect(await table.get(pid)).toBeUndefined()
  })

  it('tells which files a process has mapped, and nothing of one that is gone', async () => {
    expect(await table.mapped(process.pid)).toContain(process.execPath)
    expect(await table.mapped(2 ** 30)).toBeUndefined()
    const rest = '00000000 08:01 1234567'
    const maps = `1-2 r--p ${rest}    /a b/c.so\n2-3 r-xp ${rest}    /a b/c.so\n3-4 rw-p 00000000 00:00 0    [heap]\n4-5 rw-p 00000000 00:00 0\n`
    expect(parseMaps(maps)).toEqual(['/a b/c.so'])
  })

  it('reads a stat line whose program name holds spaces and brackets', () => {
    const fields = ['S', ...Array.from({ length: 18 }, (_, i) => String(i)), '4711', '0']
    expect(parseStat(`12 (a) b (c) ${fields.join(' ')}\n`)).toEqual({ state: 'S', startTicks: 4711 })
    expect(parseStat('')).toBeUndefined()
  })
})
