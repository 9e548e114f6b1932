import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFolder } from '../src/store/index.ts'

const HOLDER = fileURLToPath(new URL('./store-lock-holder.ts', import.meta.url))
const ME = { pid: 4711, hostName: 'here' }
let dir: string

beforeEach(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'skerry-lock-'))
})
afterEach(() => fs.rm(dir, { recursive: true }))

describe('the lock of a state folder', () => {
  it('is had by one at a time; the other is told by whom, and gets it afterwards', async () => {
    const first = await lockFolder(dir, ME)
    await expect(lockFolder(dir, { ...ME, pid: 1 })).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringContaining('process 4711 on here'),
      details: { path: dir, pid: 4711, hostName: 'here' },
    })
    await first.release()
    await (await lockFolder(dir, ME)).release()
  })

  it('is free the moment its owner is killed with -9, whatever is written in it', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', HOLDER, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      await expect(lockFolder(dir, ME)).rejects.toMatchObject({ code: 'in-use', details: { pid: child.pid, hostName: 'holder' } })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    expect(await fs.readFile(path.join(dir, 'lock'), 'utf8'), 'its note is still there').toContain('holder')
    await (await lockFolder(dir, ME)).release()
  })

  it('is not taken over because its note is missing or damaged', async () => {
    const first = await lockFolder(dir, ME)
    for (const note of ['', '{"pid":', 'x']) {
      await fs.writeFile(path.join(dir, 'lock'), note)
      await expect(lockFolder(dir, ME)).rejects.toMatchObject({
        code: 'in-use',
        message: expect.stringContaining('another process'),
      })
    }
    await first.release()
  })

  it('survives the garbage collector', async () => {
    await lockFolder(dir, ME)
    const filler: object[] = []
    for (let n = 0; n < 200_000; n++) filler.push({ n })
    expect(filler.length).toBe(200_000)
    await expect(lockFolder(dir, ME)).rejects.toMatchObject({ code: 'in-use' })
  })
})
