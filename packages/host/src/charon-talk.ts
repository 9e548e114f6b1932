/** What a charon is told and asked, over vici. */

import { openVici, type Vici } from './vici.ts'
import type { ViciMessage } from './vici-message.ts'

export interface CharonChild {
  name: string
  localCidrs: readonly string[]
  peerCidrs: readonly string[]
}

export interface CharonConnection {
  name: string
  version: 'ike' | 'ikev1' | 'ikev2'
  local: { address: string; id: string }
  peer: { address: string; id: string }
  /** In strongSwan's words: `aes256-sha256-modp2048`. */
  ikeProposal: string
  espProposal: string
  ikeLifeSeconds: number
  lifeSeconds: number
  children: readonly CharonChild[]
}

/** A CHILD_SA: what is carried between which networks, and how much since it was made or rekeyed. */
export interface Carried {
  child: string
  installed: boolean
  localCidrs: string[]
  peerCidrs: string[]
  bytesIn: number
  bytesOut: number
  packetsIn: number
  packetsOut: number
}

/** An IKE_SA. */
export interface CharonTunnel {
  connection: string
  /** charon's own number of it: another one after a reconnect. */
  id: number
  version: 1 | 2
  established: boolean
  carried: Carried[]
}

export interface CharonView {
  /** Who does ESP. */
  esp: 'kernel' | 'user-space'
  connections: string[]
  /** Names of the keys that it knows; they themselves can't be read. */
  keys: string[]
  tunnels: CharonTunnel[]
}

/** `connection`: whose it is; null: of none that is known. `log` is a line of charon's log, which holds no keys. */
export type CharonEvent = { connection: string | null } & ({ is: 'up' | 'down' | 'moved' } | { is: 'log'; line: string })

export interface CharonTalk {
  look(): Promise<CharonView>
  /** Connection and key, in place of those of the same name. Nothing is initiated. */
  load(connection: CharonConnection, key: Uint8Array): Promise<void>
  /** Connection and key; what runs ends. Absent is fine. */
  unload(name: string): Promise<void>
  /** Begins, and does not wait for the end. */
  initiate(connection: string, child: string): Promise<void>
  /** Its tunnels end; absent is fine. */
  terminate(connection: string): Promise<void>
  /** `ended` when charon has gone or `close` was called. */
  watch(onEvent: (event: CharonEvent) => void): Promise<{ close(): void; ended: Promise<void> }>
}

const TIMEOUT_MS = 10_000
/** Returns at once. */
const NO_WAIT = '-1'

export function talkTo(socket: string): CharonTalk {
  const talk = async <T>(act: (vici: Vici) => Promise<T>): Promise<T> => {
    const vici = await openVici(socket, TIMEOUT_MS)
    try {
      return await act(vici)
    } finally {
      vici.close()
    }
  }
  const end = async (vici: Vici, name: string) => {
    const running = (await vici.stream('list-sas', 'list-sa')).flatMap(tunnelsOf).filter((t) => t.connection === name)
    for (const { id } of running) await vici.request('terminate', { 'ike-id': String(id), timeout: NO_WAIT, force: 'yes' })
  }
  return {
    look: () => talk(look),
    load: (connection, key) =>
      talk(async (vici) => {
        const { name, local, peer } = connection
        const owners = [...new Set([local.id, peer.id, local.address, peer.address])]
        await vici.request('load-shared', { id: name, type: 'IKE', data: key, owners })
        await vici.request('load-conn', { [name]: toVici(connection) })
      }),
    unload: (name) =>
      talk(async (vici) => {
        if (listOf((await vici.request('get-conns'))['conns']).includes(name)) await vici.request('unload-conn', { name })
        if (listOf((await vici.request('get-shared'))['keys']).includes(name)) await vici.request('unload-shared', { id: name })
        await end(vici, name)
      }),
    initiate: (ike, child) => talk(async (vici) => void (await vici.request('initiate', { ike, child, timeout: NO_WAIT }))),
    terminate: (name) => talk((vici) => end(vici, name)),
    async watch(onEvent) {
      const vici = await openVici(socket, TIMEOUT_MS)
      await vici.listen(['ike-updown', 'child-updown', 'child-rekey', 'log'], (name, message) => {
        for (const event of eventsOf(name, message)) onEvent(event)
      })
      return { close: () => vici.close(), ended: vici.ended }
    },
  }
}

async function look(vici: Vici): Promise<CharonView> {
  const { plugins } = await vici.request('stats')
  return {
    esp: listOf(plugins).includes('kernel-libipsec') ? 'user-space' : 'kernel',
    connections: listOf((await vici.request('get-conns'))['conns']),
    keys: listOf((await vici.request('get-shared'))['keys']),
    tunnels: (await vici.stream('list-sas', 'list-sa')).flatMap(tunnelsOf),
  }
}

const VERSIONS = { ike: '0', ikev1: '1', ikev2: '2' } as const
/** A tenth before the end another one is made, so that traffic goes on. */
const before = (seconds: number) => `${Math.floor(seconds * 0.9)}s`

function toVici(c: CharonConnection): ViciMessage {
  const children = c.children.map(({ name, localCidrs, peerCidrs }) => [
    name,
    {
      ...{ mode: 'tunnel', local_ts: localCidrs, remote_ts: peerCidrs, esp_proposals: [c.espProposal] },
      ...{ life_time: `${c.lifeSeconds}s`, rekey_time: before(c.lifeSeconds), dpd_action: 'start', start_action: 'none' },
    },
  ])
  return {
    version: VERSIONS[c.version],
    ...{ local_addrs: [c.local.address], remote_addrs: [c.peer.address], proposals: [c.ikeProposal] },
    ...{ mobike: 'no', keyingtries: '1', dpd_delay: '5s', rekey_time: before(c.ikeLifeSeconds) },
    over_time: `${Math.ceil(c.ikeLifeSeconds * 0.1)}s`,
    local: { auth: 'psk', id: c.local.id },
    remote: { auth: 'psk', id: c.peer.id },
    children: Object.fromEntries(children),
  }
}

const listOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
const sectionOf = (value: unknown): ViciMessage =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ViciMessage) : {}
const numberOf = (value: unknown) => Number(value ?? 0) || 0

const tunnelsOf = (message: ViciMessage): CharonTunnel[] =>
  Object.entries(message).map(([connection, sa]) => {
    const of = sectionOf(sa)
    return {
      connection,
      id: numberOf(of['uniqueid']),
      version: of['version'] === '1' ? 1 : 2,
      established: of['state'] === 'ESTABLISHED',
      carried: Object.values(sectionOf(of['child-sas'])).map((child) => carriedOf(sectionOf(child))),
    }
  })

/** While it is being rekeyed it carries on. */
const INSTALLED = new Set(['INSTALLED', 'REKEYING', 'REKEYED'])

const carriedOf = (child: ViciMessage): Carried => ({
  child: String(child['name'] ?? ''),
  installed: INSTALLED.has(String(child['state'])),
  localCidrs: listOf(child['local-ts']),
  peerCidrs: listOf(child['remote-ts']),
  bytesIn: numberOf(child['bytes-in']),
  bytesOut: numberOf(child['bytes-out']),
  packetsIn: numberOf(child['packets-in']),
  packetsOut: numberOf(child['packets-out']),
})

function eventsOf(name: string, message: ViciMessage): CharonEvent[] {
  if (name === 'log')
    return [{ connection: String(message['ikesa-name'] ?? '') || null, is: 'log', line: String(message['msg'] ?? '') }]
  const is = name === 'child-rekey' ? 'moved' : message['up'] === 'yes' ? 'up' : 'down'
  return Object.keys(message)
    .filter((key) => key !== 'up')
    .map((connection) => ({ connection, is }))
}
