import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { facts, parseCpu } from '../src/index.ts'

let root: string
const put = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skerry-facts-'))
  put('proc/sys/kernel/random/boot_id', '6cf5fbd8-7b9d-4c4c-a4f4-0a4b1f3f6a11\n')
  put('proc/meminfo', 'MemTotal:       24681000 kB\nMemFree:        100 kB\nMemAvailable:   24000000 kB\n')
  put('etc/machine-id', '0123456789abcdef0123456789abcdef\n')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('facts', () => {
  it('reads samples from proc', async () => {
    put('proc/stat', 'cpu  10 1 5 100 4 2 3 1 9 9\ncpu0 1 2 3 4\n')
    put('proc/loadavg', '0.50 0.40 0.30 1/200 4242\n')
    const f = facts({ root })
    expect(await f.cpu()).toEqual({ busy: 22, total: 126 })
    expect(await f.memory()).toEqual({ totalBytes: 24_681_000 * 1024, availableBytes: 24_000_000 * 1024 })
    expect(await f.load()).toEqual([0.5, 0.4, 0.3])
    expect(await f.bootId()).toBe('6cf5fbd87b9d4c4ca4f40a4b1f3f6a11')
  })

  it('counts every NIC and skips what is none', async () => {
    for (const file of ['rx_bytes', 'tx_bytes', 'rx_packets', 'tx_packets', 'rx_errors', 'tx_errors'])
      put(`sys/class/net/eth0/statistics/${file}`, `${file.length}\n`)
    put('sys/class/net/bonding_masters', '')
    expect(await facts({ root }).nics()).toEqual([
      { name: 'eth0', rxBytes: 8, txBytes: 8, rxPackets: 10, txPackets: 10, rxErrors: 9, txErrors: 9 },
    ])
  })

  it('takes the mainboard’s uuid, and the machine-id where the board has none worth the name', async () => {
    expect((await facts({ root }).machine()).machineUuid).toBe('0123456789abcdef0123456789abcdef')
    put('sys/class/dmi/id/product_uuid', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n')
    expect((await facts({ root }).machine()).machineUuid).toBe('0123456789abcdef0123456789abcdef')
    put('sys/class/dmi/id/product_uuid', '4C4C4544-0042-3510-8052-B4C04F4D3532\n')
    expect((await facts({ root }).machine()).machineUuid).toBe('4c4c4544004235108052b4c04f4d3532')
    rmSync(join(root, 'etc'), { recursive: true })
    rmSync(join(root, 'sys'), { recursive: true })
    await expect(facts({ root }).machine()).rejects.toMatchObject({ details: { remedy: expect.stringContaining('machine-id') } })
  })

  it('knows this very machine', async () => {
    const machine = await facts().machine()
    expect(machine.cpuCount).toBeGreaterThan(0)
    expect(machine.memoryBytes).toBeGreaterThan(64 * 1024 * 1024)
    expect(machine.architecture).toMatch(/^(x86_64|aarch64)$/)
    expect(machine.bootId).toMatch(/^[0-9a-f]{32}$/)
    for (const text of [machine.hostname, machine.kernel, machine.osName]) expect(text).not.toBe('')
  })

  it('counts nothing in a stat file without its cpu line', () => {
    expect(parseCpu('')).toEqual({ busy: 0, total: 0 })
  })
})
