import { fakeHost } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { foundIn, vmConsoleLog } from '../src/commands/vm.console-log.ts'
import { vmFolder } from '../src/vms/memory.ts'
import { id } from './documents.ts'

const STATE = '/var/lib/skerry'
const vm = id('1')

describe('the serial log of a VM', () => {
  test('is its last lines, or those that hold a text, without what only a terminal understands', () => {
    const text = '\u001b[1mBooting\u001b[0m\r\n[ 1.0] ext4: mounted\r\n[ 2.0] Error: no disk\r\nlogin: '
    expect(foundIn(text, { lines: 2 })).toEqual({ lines: ['[ 2.0] Error: no disk', 'login: '], matches: 4 })
    expect(foundIn(text, { lines: 10, search: 'ERROR' })).toEqual({ lines: ['[ 2.0] Error: no disk'], matches: 1 })
    expect(foundIn(text, { lines: 10, search: 'boot' }).lines).toEqual(['Booting'])
    expect(foundIn('', { lines: 10 })).toEqual({ lines: [], matches: 0 })
  })

  test('fits into a message, the newest of it', () => {
    const many = Array.from({ length: 30_000 }, (_, n) => `line ${n} ${'x'.repeat(30)}`)
    const { lines, matches } = foundIn(many.join('\n'), { lines: 30_000 })
    expect(matches).toBe(30_000)
    expect(JSON.stringify(lines).length).toBeLessThan(600_000)
    expect(lines.at(-1)).toMatch(/^line 29999 /)
  })

  test('goes on in the file before, to a MiB; one that said nothing has none', async () => {
    const host = fakeHost({})
    const command = vmConsoleLog({ host, stateDir: STATE })
    const asked = (input: { lines: number; search?: string }) =>
      command.run({
        id: 'x',
        uuid: vm,
        input,
        signal: new AbortController().signal,
        progress: () => undefined,
        log: null as never,
      })
    expect(await asked({ lines: 5 })).toEqual({ lines: [], matches: 0 })
    const { folder, log } = vmFolder(STATE, vm)
    host.disk.makeDir(folder, 0o755)
    await host.files.write(`${log}.0`, `first\n${'old\n'.repeat(200_000)}`, 0o600)
    await host.files.write(log, `${'new\n'.repeat(100_000)}last\n`, 0o600)
    expect(await asked({ lines: 1 })).toEqual({ lines: ['last'], matches: expect.any(Number) })
    expect((await asked({ lines: 1, search: 'old' })).matches).toBeGreaterThan(100_000)
    expect((await asked({ lines: 1, search: 'first' })).matches, 'beyond a MiB').toBe(0)
  })
})
