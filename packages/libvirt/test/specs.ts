import type { DomainSpec } from '../src/index.ts'

export const vmUuid = '0123456789abcdef0123456789abcdef'

export const minimal: DomainSpec = {
  uuid: vmUuid,
  name: 'minimal',
  type: 'qemu',
  cpuCount: 1,
  cpuMode: 'none',
  memoryBytes: 128 * 1024 * 1024,
  disks: [],
  nics: [],
}

/** Everything that a spec can say. */
export const full: DomainSpec = {
  uuid: vmUuid,
  name: 'web "1" <&>',
  title: "the web's front",
  description: 'first line\nsecond; $(id) ]]>',
  type: 'kvm',
  cpuCount: 4,
  cpuMode: 'host-model',
  memoryBytes: 2 * 1024 * 1024 * 1024,
  disks: [
    { file: '/skerry/vols/root.qcow2', format: 'qcow2', target: 'vda', volumeUuid: 'a'.repeat(32), bootOrder: 1 },
    {
      file: '/skerry/vols/data,1.raw',
      format: 'raw',
      target: 'vdb',
      volumeUuid: 'b'.repeat(32),
      cache: 'writeback',
      readonly: true,
    },
  ],
  cdroms: [{ file: '/skerry/iso/seed.iso', target: 'sda', bootOrder: 2 }, { target: 'sdb' }],
  nics: [
    { mac: '52:54:00:00:00:01', bridge: 'br-eth0', tap: 'sk0123456789.0', mtu: 1450, bootOrder: 3 },
    { mac: '52:54:00:00:00:02', bridge: 'br-eth1', tap: 'sk0123456789.1', model: 'e1000' },
  ],
  serial: { type: 'unix', path: '/run/skerry/vm.serial', logFile: '/var/log/skerry/vm.log' },
  vnc: { socket: '/run/skerry/vm.vnc' },
  guestAgent: true,
  ports: 3,
  mark: { uuid: vmUuid, generation: '1.42', hash: 'sha256:00ff', base: 'sha256:00aa' },
}

export const kernelBoot: DomainSpec = {
  ...minimal,
  name: 'kernel-boot',
  cpuMode: 'maximum',
  kernel: { file: '/boot/vmlinuz', initrd: '/boot/initrd', commandLine: 'console=ttyS0 init="/bin/x y"' },
  serial: { type: 'pty' },
  vnc: { listen: '127.0.0.1' },
}

export const goldenSpecs = { minimal, full, 'kernel-boot': kernelBoot }
