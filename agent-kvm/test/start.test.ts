import { fakeHost } from '@skerry/host'
import { describe, expect, test } from 'vitest'
import { probeDomainType } from '../src/domain-type.ts'
import { readKvmOptions } from '../src/options.ts'

describe('options', () => {
  test('are taken from arguments, then the environment, and leave the shared ones alone', () => {
    const argv = ['--state-dir', '/s', '--libvirt-uri=qemu:///x', '--domain-type', 'qemu', '--log-level', 'warn']
    expect(readKvmOptions(argv, { SKERRY_LIBVIRT_URI: 'qemu:///y' })).toEqual({
      options: { libvirtUri: 'qemu:///x', libvirtFfi: 'auto', domainType: 'qemu', payload: undefined },
      rest: ['--state-dir', '/s', '--log-level', 'warn'],
    })
    const uri = 'qemu+unix:///system?socket=%2Frun%2Fx'
    expect(readKvmOptions([], { SKERRY_LIBVIRT_URI: uri, SKERRY_DOMAIN_TYPE: 'kvm' }).options).toMatchObject({
      libvirtUri: uri,
      domainType: 'kvm',
    })
    expect(readKvmOptions([], { SKERRY_LIBVIRT_FFI: 'koffi' }).options).toMatchObject({ libvirtFfi: 'koffi' })
    expect(readKvmOptions([], {}).options).toMatchObject({ libvirtUri: 'qemu:///system', domainType: 'probe' })
    expect(readKvmOptions(['--probe-kernel', '/k', '--probe-initrd', '/i', '--probe-marker', 'up'], {}).options.payload).toEqual({
      kernel: '/k',
      initrd: '/i',
      marker: 'up',
    })
  })

  test.each([
    [['--domain-type', 'xen']],
    [['--libvirt-uri', 'nonsense']],
    [['--libvirt-ffi', 'dlopen']],
    [['--probe-kernel', '/k']],
    [['--probe-kernel', '../k', '--probe-marker', 'm']],
  ])('%j is refused with a reason', (argv) => {
    expect(() => readKvmOptions(argv, {})).toThrow(/options of agent-kvm are not valid: .+/)
  })
})

describe('the domain type', () => {
  const machine = (kvm = true) => {
    const host = fakeHost()
    for (const folder of ['/dev', '/boot', '/state']) host.disk.makeDir(folder, 0o755)
    if (kvm) host.disk.put('/dev/kvm', new Uint8Array())
    for (const kernel of ['vmlinuz-6.1.0-9', 'vmlinuz-6.1.0-26', 'config-6.1.0-26'])
      host.disk.put(`/boot/${kernel}`, new Uint8Array())
    const booted: unknown[] = []
    const ask = (accel: 'kvm' | 'tcg', bootId = 'b1', given = {}) =>
      probeDomainType({
        host,
        bootId,
        stateDir: '/state',
        ...given,
        probe: async (payload) => {
          booted.push(payload)
          return { accel, reason: accel === 'kvm' ? null : 'it hangs' }
        },
      })
    return { host, booted, ask }
  }

  test('is what booting a kernel shows: the newest of the host, or the one that was given', async () => {
    const { ask, booted } = machine()
    expect(await ask('kvm')).toEqual({ domainType: 'kvm', reason: null })
    expect(booted).toMatchObject([{ kernel: '/boot/vmlinuz-6.1.0-26' }])
    const payload = { kernel: '/k', marker: 'up' }
    expect(await ask('tcg', 'b1', { payload })).toEqual({ domainType: 'qemu', reason: 'it hangs' })
    expect(booted[1]).toEqual(payload)
  })

  test('is kept for a boot of the host, also when the answer was no', async () => {
    const { ask, booted } = machine()
    await ask('tcg')
    expect(await ask('kvm')).toEqual({ domainType: 'qemu', reason: 'it hangs' })
    expect(booted).toHaveLength(1)
    expect(await ask('kvm', 'b2')).toEqual({ domainType: 'kvm', reason: null })
  })

  test('is qemu, with a reason, without /dev/kvm or without a kernel', async () => {
    const none = machine(false)
    expect(await none.ask('kvm')).toEqual({ domainType: 'qemu', reason: 'there is no /dev/kvm' })
    const bare = machine()
    bare.host.disk.remove('/boot')
    expect(await bare.ask('kvm')).toMatchObject({ domainType: 'qemu', reason: expect.stringContaining('--probe-kernel') })
    expect([...none.booted, ...bare.booted]).toEqual([])
  })
})
