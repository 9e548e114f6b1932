import { describe, expect, it } from 'vitest'
import { type ProbeExec, probeKvm, spawnProbe } from '../src/index.ts'

const payload = { kernel: '/k', initrd: '/i', commandLine: 'console=ttyS0', marker: 'UP' }
const answering = (answer: Awaited<ReturnType<ProbeExec>>): { exec: ProbeExec; argvs: (readonly string[])[] } => {
  const argvs: (readonly string[])[] = []
  return {
    argvs,
    exec: async (_file, argv) => {
      argvs.push(argv)
      return answer
    },
  }
}

describe('the KVM probe', () => {
  it('says kvm when the payload, booted with KVM, shows its marker', async () => {
    const { exec, argvs } = answering({ output: 'UP', ended: 'marker' })
    expect(await probeKvm({ exec, payload })).toEqual({ accel: 'kvm', reason: null })
    expect(argvs).toHaveLength(1)
    const argv = argvs[0]!.join(' ')
    expect(argv).toContain('-accel kvm')
    expect(argv).toContain('-kernel /k -initrd /i -append console=ttyS0')
  })

  it.each([
    ['timeout', 'SeaBIOS', /not up after 5000 ms.*SeaBIOS/],
    ['exit', 'Could not access KVM kernel module', /ended before.*Could not access/],
    ['not-started', 'ENOENT', /could not be started.*ENOENT/],
  ] as const)('says tcg with the reason after %s', async (ended, output, reason) => {
    const { exec } = answering({ output, ended })
    expect(await probeKvm({ exec, payload })).toEqual({ accel: 'tcg', reason: expect.stringMatching(reason) })
  })

  it('gives a disk with a comma in its name to qemu as one file, unchanged by the boot', async () => {
    const { exec, argvs } = answering({ output: '', ended: 'exit' })
    await probeKvm({ exec, payload: { disk: '/a,b', marker: 'UP' } })
    expect(argvs[0]).toContain('file=/a,,b,format=raw,if=ide,snapshot=on')
  })
})

describe('running the probe', () => {
  const node = process.execPath
  const run = (script: string, timeoutMs = 10_000) => spawnProbe(node, ['-e', script], { timeoutMs, stopAt: 'MARK' })

  it('ends the process as soon as the marker came, even in two pieces', async () => {
    const script = "process.stdout.write('xMA'); setTimeout(() => process.stdout.write('RKy'), 50); setInterval(() => {}, 1000)"
    expect(await run(script)).toMatchObject({ ended: 'marker' })
  })
  it('ends the process when the time is over and keeps what it said', async () => {
    // a shell, which speaks at once: node takes seconds to start where much else runs
    const argv = ['-c', 'echo hm; exec sleep 60']
    expect(await spawnProbe('/bin/sh', argv, { timeoutMs: 3_000, stopAt: 'MARK' })).toEqual({ output: 'hm\n', ended: 'timeout' })
  })
  it('notices that the process ended by itself, with its stderr', async () => {
    expect(await run("console.error('no'); process.exit(1)")).toEqual({ output: 'no\n', ended: 'exit' })
  })
  it('notices that there is no such program', async () => {
    expect(await spawnProbe('/no/such/qemu', [], { timeoutMs: 1_000, stopAt: 'x' })).toMatchObject({ ended: 'not-started' })
  })
})
