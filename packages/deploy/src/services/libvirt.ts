/**
 * Which libvirtd the guests run on. Where the machine runs one, that one, as it is. Else one of our own: its run, state, cache
 * and configuration folders are bound over the usual ones in a mount namespace of its own, so nothing of the machine's is
 * touched, and each restart finds the same folders (as packages/libvirt's `startLibvirtd` does it for tests).
 */
import { createConnection } from 'node:net'
import { SkerryError } from '@skerry/contract'
import type { Exec, Files } from '@skerry/host'
import { writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'
import type { ServiceSpec } from './spec.ts'

export const SYSTEM_SOCKET = '/run/libvirt/libvirt-sock'
export const SYSTEM_URI = 'qemu:///system'
/** sun_path has 108 bytes, one of them the final zero. */
const MAX_SOCKET_PATH = 107
const STOP_MS = 10_000

const BOUND = { run: '/run', lib: '/var/lib/libvirt', cache: '/var/cache/libvirt', etc: '/etc/libvirt', log: '/var/log/libvirt' }

/** `in-private-folders DIR PROGRAM…`: becomes the program, so that the supervisor's pid is the daemon's. */
const ENTER = `#!/bin/sh
# Runs in a mount namespace of its own (unshare --mount): binds the folders of $1 over libvirt's, then becomes the program.
set -e
dir=$1
shift
${Object.entries(BOUND)
  .map(([name, target]) => `mkdir -p ${target}\nmount --bind "$dir/${name}" ${target}`)
  .join('\n')}
exec "$@"
`

const QEMU_CONF = [
  'user = "root"',
  'group = "root"',
  'security_driver = "none"',
  'cgroup_controllers = []',
  'stdio_handler = "logd"',
  'namespaces = []',
  '',
].join('\n')

export interface OwnLibvirt {
  uri: string
  socket: string
  services: ServiceSpec[]
}

export function ownLibvirt(layout: Layout): OwnLibvirt {
  const socket = `${layout.libvirt}/run/libvirt/libvirt-sock`
  if (socket.length > MAX_SOCKET_PATH) {
    const message = `SKERRY_STATE_DIR is too long: the path of libvirt's socket has ${socket.length} characters, ${MAX_SOCKET_PATH} are possible`
    throw new SkerryError('invalid-argument', message, { socket })
  }
  const daemon = (name: string, argv: string[]): ServiceSpec => ({
    name,
    argv: ['unshare', '--mount', '--propagation', 'private', `${layout.libvirt}/in-private-folders`, layout.libvirt, ...argv],
    env: {},
    cwd: '/',
    logFile: layout.log(name),
    stopTimeoutMs: STOP_MS,
  })
  return {
    uri: `qemu+unix:///system?socket=${encodeURIComponent(socket)}`,
    socket,
    services: [
      daemon('virtlogd', ['virtlogd', '-p', '/run/virtlogd.pid']),
      daemon('libvirtd', ['libvirtd', '-p', '/run/libvirtd.pid']),
    ],
  }
}

export async function prepareOwnLibvirt(
  ports: { files: Files; exec: Exec },
  layout: Layout,
  ids: { hostUuid: string; bootId: string },
): Promise<void> {
  const { files, exec } = ports
  await forgetEarlierBoot(files, layout, ids.bootId)
  for (const folder of [...Object.keys(BOUND), 'run/libvirt', 'run/lock', 'etc/qemu'])
    await files.makeDir(`${layout.libvirt}/${folder}`)
  const etc = `${layout.libvirt}/etc`
  await writeIfChanged(files, `${layout.libvirt}/in-private-folders`, ENTER, 0o755)
  await writeIfChanged(files, `${etc}/qemu.conf`, QEMU_CONF, 0o644)
  await writeIfChanged(files, `${etc}/virtlogd.conf`, '', 0o644)
  const libvirtdConf = [
    `host_uuid = "${dashed(ids.hostUuid)}"`,
    'unix_sock_rw_perms = "0700"',
    'auth_unix_ro = "none"',
    'auth_unix_rw = "none"',
    '',
  ]
  await writeIfChanged(files, `${etc}/libvirtd.conf`, libvirtdConf.join('\n'), 0o644)
  // network filters are the one piece of stock configuration that interface definitions refer to
  const filters = await files.stat('/etc/libvirt/nwfilter')
  if (filters && !(await files.stat(`${etc}/nwfilter`))) {
    await exec.run('cp', ['-r', '/etc/libvirt/nwfilter', `${etc}/nwfilter`], { timeoutMs: 10_000 })
  }
}

/** A machine's own /run is empty after a boot; ours has to be made so, or libvirtd would look for guests that are gone. */
async function forgetEarlierBoot(files: Files, layout: Layout, bootId: string): Promise<void> {
  const mark = `${layout.libvirt}/boot-id`
  if ((await files.read(mark)) === bootId) return
  await files.remove(`${layout.libvirt}/run`)
  await files.makeDir(layout.libvirt, 0o700)
  await files.write(mark, bootId, 0o600)
}

const dashed = (uuid: string) => uuid.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** Whether somebody listens on a unix socket. */
export function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    const answer = (yes: boolean) => () => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('connect', answer(true))
    socket.once('error', answer(false)) // absent, refused or forbidden: in each case nobody for us
  })
}

/** Resolves when libvirtd answers on the URI. */
export async function libvirtAnswers(exec: Exec, uri: string): Promise<boolean> {
  try {
    const { code } = await exec.run('virsh', ['-q', '-c', uri, 'version'], { timeoutMs: 10_000, okCodes: [0, 1] })
    return code === 0
  } catch (error) {
    // at its first start it tries each qemu that is installed, and answers nobody meanwhile
    if (error instanceof SkerryError && error.code === 'deadline-exceeded') return false
    throw error
  }
}
