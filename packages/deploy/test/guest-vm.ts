/** A guest under plain qemu (no KVM): its serial port and its power button. */
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Exec, Spawned } from '@skerry/host'

export interface GuestVm {
  process: Spawned
  /** All that it has printed. */
  console(): Promise<string>
  /** Types a line at the serial port. */
  type(line: string): Promise<void>
  pressPowerButton(): Promise<void>
}

export interface GuestVmConfig {
  exec: Exec
  image: string
  dir: string
  /** A tap of this name is made in this namespace. */
  tap?: { netns: string; name: string; mac: string }
  machine?: 'q35' | 'pc'
}

export async function startGuest(config: GuestVmConfig): Promise<GuestVm> {
  const at = (name: string) => join(config.dir, name)
  const network = config.tap
    ? [
        '-netdev',
        `tap,id=n0,ifname=${config.tap.name},script=no,downscript=no`,
        '-device',
        `virtio-net-pci,netdev=n0,mac=${config.tap.mac},romfile=`,
      ]
    : ['-nic', 'none']
  const process = await config.exec.spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-accel',
        'tcg',
        '-machine',
        config.machine ?? 'q35',
        '-cpu',
        'max',
        '-m',
        '192',
        '-smp',
        '1',
        '-display',
        'none',
        '-nodefaults',
        '-no-user-config',
      ],
      ...['-drive', `file=${config.image},format=qcow2,if=virtio,snapshot=on`, ...network],
      ...[
        '-chardev',
        `socket,id=serial,path=${at('serial')},server=on,wait=off,logfile=${at('console')}`,
        '-serial',
        'chardev:serial',
      ],
      ...['-qmp', `unix:${at('qmp')},server=on,wait=off`],
    ],
    { logFile: at('qemu.log'), ...(config.tap ? { netns: config.tap.netns } : {}) },
  )
  return {
    process,
    console: () => readFile(at('console'), 'latin1').catch(() => ''), // not there before qemu has opened it
    async type(line) {
      const socket = await open(at('serial'))
      socket.end(`${line}\r`)
    },
    async pressPowerButton() {
      const socket = await open(at('qmp'))
      socket.write('{"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n')
      const done = new Promise<void>((resolve) => {
        let seen = ''
        socket.on('data', (chunk) => {
          seen += chunk
          if (seen.includes('POWERDOWN')) resolve()
        })
      })
      await done
      socket.destroy()
    },
  }
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.on('error', reject)
  })
}
