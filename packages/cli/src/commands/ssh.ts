/**
 * `skerry ssh <vm>`: OpenSSH's own client, with `skerry tunnel` as its way to the guest. Host keys are kept under the VM's uuid, so
 * that an address which another guest gets later is no alarm, and a guest that is another one is.
 */
import { SkerryError } from '@skerry/contract/errors'
import { files } from '@skerry/host/files'
import type { Client } from '@skerry/sdk'
import type { Io } from '../io.ts'
import { clientFor, contextOf, type Globals } from '../session.ts'
import { portOf } from './tunnel.ts'

export interface SshOptions extends Globals {
  user?: string
  port: string
  identity?: string
  sshArg?: string[]
  printConfig?: boolean
}

/** A user tag on a VM or its image that says who logs in. */
export const SSH_USER_TAG = 'ssh-user::'
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/

interface Guest {
  uuid: string
  name: string
  user: string | undefined
}

export async function ssh(io: Io, target: string, command: readonly string[], o: SshOptions): Promise<number> {
  const port = portOf(o.port)
  const at = target.lastIndexOf('@')
  const { name, context } = await contextOf(io, o)
  const client = await clientFor(io, context)
  const guest = await guestOf(client, target.slice(at + 1), o.user ?? (at > 0 ? target.slice(0, at) : undefined))
  const stored = await isStored(io, name)
  await files().makeDir(io.configFolder, 0o700)
  const options = optionsOf({
    guest,
    tunnel: [...selfOf(io), 'tunnel', ...(stored ? ['--context', name] : []), guest.uuid, String(port)],
    knownHosts: `${io.configFolder}/known_hosts-${name}`,
    identity: o.identity ?? context.sshKey,
  })
  if (o.printConfig) {
    io.out(configBlock(guest, options))
    return 0
  }
  const argv = [
    ...options.flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...(o.sshArg ?? []),
    '--',
    hostOf(guest),
    ...command,
  ]
  return run(io, argv)
}

function selfOf(io: Io): readonly string[] {
  if (!io.self) throw new SkerryError('internal', 'this command line does not know how it was started')
  return io.self
}

async function isStored(io: Io, context: string): Promise<boolean> {
  const { readContexts } = await import('../contexts.ts')
  return (await readContexts(io.configFolder)).contexts[context] !== undefined
}

async function guestOf(client: Client, named: string, user: string | undefined): Promise<Guest> {
  const vm = await client.get('vmInstance', named)
  const uuid = String(vm.uuid)
  if (vm.state !== 'Running')
    throw new SkerryError('vm-illegal-state', `VM instance ${vm.name} is ${vm.state}: only a running one can be reached`, {
      remedy: `skerry start vm ${vm.name} --wait`,
    })
  return { uuid, name: String(vm.name), user: checked(user ?? (await taggedUser(client, [uuid, vm.imageUuid]))) }
}

function checked(user: string | undefined): string | undefined {
  if (user === undefined || USER.test(user)) return user
  throw new SkerryError('invalid-argument', `${user} is no user name`, { field: 'user' })
}

/** The VM's own tag counts before its image's. */
async function taggedUser(client: Client, uuids: readonly unknown[]): Promise<string | undefined> {
  const of = uuids.filter((uuid) => typeof uuid === 'string')
  const { inventories } = await client.query('userTag', { q: [`resourceUuid?=${of.join(',')}`, `tag~=${SSH_USER_TAG}%`] })
  const tags = inventories as { resourceUuid: string; tag: string }[]
  const tag = of.flatMap((uuid) => tags.find(({ resourceUuid }) => resourceUuid === uuid) ?? [])[0]?.tag
  return tag?.slice(SSH_USER_TAG.length)
}

/** ssh hands a ProxyCommand to a shell, and reads %: both are quoted. */
const shellWord = (word: string) => (/^[A-Za-z0-9_./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
const percent = (text: string) => text.replaceAll('%', '%%')
/** A value with spaces, as ssh_config(5) has it. */
const quoted = (text: string) => `"${percent(text)}"`

interface Way {
  guest: Guest
  tunnel: readonly string[]
  knownHosts: string
  identity: string | undefined
}

function optionsOf({ guest, tunnel, knownHosts, identity }: Way): [string, string][] {
  return [
    ['ProxyCommand', percent(tunnel.map(shellWord).join(' '))],
    ['HostKeyAlias', `skerry-${guest.uuid}`],
    ['UserKnownHostsFile', quoted(knownHosts)],
    ['StrictHostKeyChecking', 'accept-new'],
    ...(identity ? [['IdentityFile', quoted(identity)] as [string, string]] : []),
    ...(guest.user ? [['User', guest.user] as [string, string]] : []),
  ]
}

/** ssh takes no spaces and the like in names of hosts. */
const hostOf = ({ name, uuid }: Guest) => (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) ? name : uuid)

const configBlock = (guest: Guest, options: readonly [string, string][]) =>
  [`Host ${hostOf(guest)}`, ...options.map(([key, value]) => `  ${key} ${value}`)].join('\n')

async function run(io: Io, argv: readonly string[]): Promise<number> {
  if (!io.foreground) throw new SkerryError('internal', 'there is no terminal to run ssh in')
  try {
    return await io.foreground('ssh', argv)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new SkerryError('host-command-failed', 'ssh is not installed on this machine', {
      remedy: 'apt-get install openssh-client; or use the block that --print-config shows on another machine',
    })
  }
}
