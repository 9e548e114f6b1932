/**
 * A rotation of keys that is cut off at every single operation, before it and after it: whoever is in use always gets in, the next
 * controller goes on where the last one ended, and in the end nothing old is accepted.
 */
import { createUser } from '@nats-io/nkeys'
import { createSite, memoryBroker } from '@skerry/bus'
import { type RekeyReply, type RekeyRequest, type Row, SkerryError, subjects } from '@skerry/contract'
import {
  fakeDisk,
  firstKeys,
  KeyAuthority,
  KeyRotator,
  type KeysDocument,
  openStore,
  State,
  tables,
} from '@skerry/controller/in-process'
import { describe, expect, it } from 'vitest'
import { newUuid } from '../harness/zstack-client.ts'

const newKey = () => createUser().getPublicKey()
const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString('utf8'))

const CEILING_MS = 10_000

/** What nats-server was told last. */
interface Server {
  signers: string[]
  revoked: string[]
}

/** An agent as far as keys go: `keys.ts` of packages/agent, in memory. */
class Agent {
  readonly uuid = newUuid()
  readonly first = newKey()
  publicKey = this.first
  signer: string
  rotation = ''
  next: { rotation: string; publicKey: string } | undefined

  constructor(signer: string) {
    this.signer = signer
  }

  take({ rotation, grant }: RekeyRequest): RekeyReply {
    if (rotation !== this.rotation) {
      if (this.next?.rotation !== rotation) this.next = { rotation, publicKey: newKey() }
      const { publicKey } = this.next
      if (grant?.publicKey !== publicKey) return { publicKey: this.publicKey, next: publicKey, retiring: false }
      this.signer = claimsOf(grant.jwt).iss
      this.publicKey = publicKey
      this.rotation = rotation
    }
    return { publicKey: this.publicKey, next: null, retiring: false }
  }
}

/** The n-th operation fails, before or behind its effect, and nothing works after it: a process that was killed. */
class Fuse {
  left: number
  readonly behind: boolean
  constructor(left: number, behind: boolean) {
    this.left = left
    this.behind = behind
  }
  get blown(): boolean {
    return this.left <= 0
  }
  async run<T>(effect: () => Promise<T>): Promise<T> {
    this.left -= 1
    if (this.left < 0 || (this.left === 0 && !this.behind)) throw new Error('killed')
    const result = await effect()
    if (this.left === 0) throw new Error('killed')
    return result
  }
}

const site = await createSite()

async function world() {
  const clock = () => 1_700_000_000_000
  const store = await openStore({ dir: '/log', disk: fakeDisk(), tables, clock, newId: newUuid, limits: { reserveBytes: 4096 } })
  const state = new State(store)
  const server: Server = { signers: [site.signingKey.publicKey], revoked: [] }
  const agents = [0, 1].map(() => new Agent(site.signingKey.publicKey))
  for (const { uuid, publicKey, signer } of agents)
    await state.commit(
      { ops: [{ o: 'put', t: 'agent', k: uuid, v: { uuid, kind: 'kvm', publicKey, signer } }] },
      { actor: 'test' },
    )
  const broker = memoryBroker()
  const host = broker.connect({})
  for (const agent of agents)
    host.serve(subjects.do('kvm', agent.uuid, 'agent', agent.uuid, 'rekey'), async (m) => {
      const reply = agent.take(m.data as RekeyRequest)
      // as its connecting with it would: it is refused what the server does not know yet
      if (!server.signers.includes(agent.signer)) throw new SkerryError('permission-denied', 'the server knows no such signer')
      return reply
    })
  const own = { signer: site.signingKey.publicKey }
  return { site, store, state, server, agents, bus: broker.connect({}), own, disk: firstKeys(site) }
}
type World = Awaited<ReturnType<typeof world>>

/** Whoever is in use now must be let in by what the server is told. */
function told(w: World, jwt: string): void {
  const { signing_keys: signers, revocations = {} } = claimsOf(jwt).nats
  Object.assign(w.server, { signers, revoked: Object.keys(revocations) })
  for (const agent of w.agents) {
    expect(w.server.signers, 'the signer of an agent in use').toContain(agent.signer)
    expect(w.server.revoked, 'the key of an agent in use').not.toContain(agent.publicKey)
  }
  expect(w.server.signers, 'the signer of the controller in use').toContain(w.own.signer)
}

/** One life of a controller. */
function controller(w: World, fuse: Fuse, report: (error: unknown) => void): KeyRotator {
  const data: KeysDocument = structuredClone(w.disk)
  const write = () =>
    fuse.run(async () => {
      w.disk = structuredClone(data)
    })
  const tell = (jwt: string) => fuse.run(async () => told(w, jwt))
  const authority = new KeyAuthority({ document: { data, write }, site: w.site, tell })
  const { state } = w
  const commit = state.commit.bind(state)
  const fused = Object.create(state) as State
  Object.defineProperty(fused, 'graph', { get: () => state.graph })
  Object.defineProperty(fused, 'store', { get: () => state.store })
  fused.commit = (change, by) => fuse.run(() => commit(change, by))
  const bus = Object.create(w.bus) as typeof w.bus
  bus.request = (subject, sent, opts) => fuse.run(() => w.bus.request(subject, sent, opts))
  return new KeyRotator({
    ...{ state: fused, graph: state.graph, bus, authority, servers: ['x'], ca: null },
    ...{ now: () => 1, monotonic: () => performance.now() * 1e6, alive: () => true, every: () => () => undefined },
    enforce: async () => {
      await authority.revoke([...state.graph.rows('revokedKey')].filter(([, row]) => !authority.isMoot(row)))
      await authority.tell()
      return true
    },
    renewOwn: () =>
      fuse.run(async () => {
        w.own.signer = authority.signer
        return true
      }),
    renewSiteKey: async () => undefined,
    report,
  })
}

const isDone = (w: World) => w.state.graph.countBy('keyRotation', 'state', 'Done') === 1

async function live(w: World, fuse: Fuse): Promise<void> {
  const reported: unknown[] = []
  const rotator = controller(w, fuse, (error) => void (fuse.blown || reported.push(error)))
  const end = performance.now() + CEILING_MS
  while (performance.now() < end && !isDone(w) && !fuse.blown) {
    rotator.look()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await rotator.stop()
  expect(reported).toEqual([])
}

async function begin(w: World, what: string): Promise<void> {
  const uuid = newUuid()
  const pending = w.agents.map((agent) => agent.uuid)
  const row: Row = { uuid, name: what, what, state: 'Running', pending, total: pending.length, doneDate: null }
  await w.state.commit({ ops: [{ o: 'put', t: 'keyRotation', k: uuid, v: row }] }, { actor: 'test' })
}

describe.each(['agents', 'account'])('a rotation of %s keys', (what) => {
  it.each([false, true])(
    'goes on after being killed at any operation (behind its effect: %s)',
    async (behind) => {
      for (let cut = 1; ; cut += 1) {
        const w = await world()
        await begin(w, what)
        await live(w, new Fuse(cut, behind))
        const whole = isDone(w) // it ended before it could be cut
        // A new controller takes what signs now for its own connection.
        w.own.signer = w.disk.signers.at(-1)!.publicKey
        await live(w, new Fuse(Number.POSITIVE_INFINITY, false))
        expect(isDone(w), `cut at ${cut}`).toBe(true)
        for (const agent of w.agents) {
          expect(agent.publicKey).not.toBe(agent.first)
          expect(w.state.graph.get('agent', agent.uuid)).toMatchObject({ publicKey: agent.publicKey, signer: agent.signer })
          const refused = w.server.revoked.includes(agent.first) || !w.server.signers.includes(w.site.signingKey.publicKey)
          expect(refused, 'the old key is of no use').toBe(true)
        }
        if (what === 'account') {
          expect(w.server.signers).toHaveLength(1)
          expect(w.server.signers).not.toContain(w.site.signingKey.publicKey)
          expect(w.state.graph.count('revokedKey')).toBe(0)
        }
        await w.store.close()
        if (whole) {
          expect(cut).toBeGreaterThan(8)
          return
        }
      }
    },
    120_000,
  )
})

describe('an agent that names another’s key as its own', () => {
  it('is refused, and that key stays good', async () => {
    const w = await world()
    const [liar, victim] = w.agents as [Agent, Agent]
    liar.take = () => ({ publicKey: victim.publicKey, next: null, retiring: false })
    await begin(w, 'agents')
    const reported: unknown[] = []
    const rotator = controller(w, new Fuse(Number.POSITIVE_INFINITY, false), (error) => void reported.push(error))
    const end = performance.now() + CEILING_MS
    while (performance.now() < end && reported.length === 0) {
      rotator.look()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await rotator.stop()
    expect(reported).toContainEqual(expect.objectContaining({ code: 'permission-denied' }))
    expect(w.state.graph.get('agent', liar.uuid)!['publicKey']).toBe(liar.first)
    expect(w.server.revoked).not.toContain(victim.publicKey)
    await w.store.close()
  })
})

describe('who asks whether the server knows of a revocation', () => {
  it('is not told so while another’s is still being written down', async () => {
    const told: string[][] = []
    let written: () => void = () => undefined
    const document = { data: firstKeys(site), write: () => new Promise<void>((resolve) => (written = resolve)) }
    const authority = new KeyAuthority({
      ...{ document, site },
      tell: async (jwt) => void told.push(Object.keys(claimsOf(jwt).nats.revocations ?? {})),
    })
    await authority.tell()
    const key = newKey()
    const first = authority.revoke([[key, {}]])
    await authority.revoke([[key, {}]])
    const second = authority.tell()
    expect(authority.isTold).toBe(false)
    written()
    await Promise.all([first, second])
    expect(told.at(-1)).toEqual([key])
  })
})
