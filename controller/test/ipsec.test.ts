/** IPsec connections: what is refused and why, what rows and documents say, who gets the key, and what goes with what. */
import { createSealKeys, unseal } from '@skerry/agent/seal'
import { memoryBroker } from '@skerry/bus'
import { ADMIN_ACCOUNT, ipsecAsk, type ipsecDesired, type Row, type Status, subjects } from '@skerry/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { answerAsks } from '../src/agents/asks.ts'
import { documentOf } from '../src/agents/documents.ts'
import { ipsecKeys } from '../src/agents/ipsec-asks.ts'
import { react } from '../src/agents/react.ts'
import { ipsecCalls, ipsecReads } from '../src/calls/ipsec.ts'
import { actions } from '../src/workflows/index.ts'
import { on, ran } from './before.ts'
import { before, KEY, newTunnel, tunnel } from './ipsec-cases.ts'
import { newEip, newVip, nicOf, publicL3, vip } from './vip-cases.ts'
import { id, makeWorld, type TestWorld, u } from './world.ts'

let w: TestWorld
const graph = () => w.state.graph
const row = (uuid = tunnel) => graph().get('ipsecConnection', uuid)!
const run = (name: string, params: Row = {}) =>
  ran(w, `ipsecConnection.${name}`, { ...on('ipsecConnection', tunnel, params), accountUuid: ADMIN_ACCOUNT })
const change = { peerAddress: '192.0.2.77', authKey: { $secret: KEY } }

function refusal(name: string, params: Row, uuid = tunnel): string {
  try {
    actions.get(`ipsecConnection.${name}`)!.check!({ graph: graph(), params, uuid, table: 'ipsecConnection' })
    return 'accepted'
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
}
const asked = (more: Row) =>
  refusal('create', newTunnel({ peerAddress: '192.0.2.90', peerCidrs: ['10.90.0.0/24'], ...more }).params, id('x'))
const keysOf = (name: string) => [...graph().by('desired', 'of', name)].filter((k) => !graph().get('desired', k)?.['tombstone'])
function document(): ipsecDesired.IpsecSpec | undefined {
  const [key] = keysOf(`ipsec/${tunnel}`)
  const found = key && documentOf(graph(), key)
  return found && 'spec' in found ? (found.spec as unknown as ipsecDesired.IpsecSpec) : undefined
}

beforeEach(async () => {
  w = await makeWorld()
  await before(on('ipsecConnection', tunnel))(w)
})

describe('an IPsec connection', () => {
  it('is a row with ZStack’s defaults, a use of its VIP, and a document without the key', () => {
    expect(row()).toMatchObject({
      ...{ ikeVersion: 'ike', ikeDhGroup: 2, pfs: 'dh-group14', lifeTime: 3600, state: 'Enabled', status: 'Connecting' },
      peerCidrs: [{ cidr: '10.20.0.0/24' }, { cidr: '10.30.0.0/24', connectionUuid: tunnel }],
      l3NetworkRefs: [{ l3NetworkUuid: u.l3, connectionUuid: tunnel }],
    })
    expect(graph().get('vip', vip)).toMatchObject({ useFor: 'IPsec', peerL3NetworkUuids: [u.l3], servedL3Uuid: u.l3 })
    expect(document()).toEqual({
      ...{ routerUuid: u.l3, l3NetworkUuid: publicL3, ip: '198.51.100.15', peerAddress: '192.0.2.77', keyUuid: KEY },
      ...{ localId: '198.51.100.15', peerId: '192.0.2.77', ikeVersion: 'ike', ikeLifeSeconds: 86_400, lifeSeconds: 3_600 },
      ...{ ikeProposal: 'aes256-sha256-modp1024', espProposal: 'aes256-sha256-modp2048' },
      ...{ localCidrs: ['10.0.0.0/24'], peerCidrs: ['10.20.0.0/24', '10.30.0.0/24'] },
    })
    // its address and leg
    expect(keysOf(`vip/${vip}`)).toHaveLength(1)
  })

  it('says algorithms, groups and names in strongSwan’s words', async () => {
    const names = { idType: 'fqdn', localId: 'here.example', remoteId: 'there@example' }
    const ike = { ikeVersion: 'ikev1', ikeEncryptionAlgorithm: '3des', ikeAuthAlgorithm: 'md5', ikeDhGroup: 19 }
    await run('change', {
      ...change,
      ...names,
      ...ike,
      policyEncryptionAlgorithm: 'aes-128',
      policyAuthAlgorithm: 'sha512',
      pfs: 'none',
    })
    expect(document()).toMatchObject({
      ...{ localId: 'fqdn:here.example', peerId: 'fqdn:there@example', ikeVersion: 'ikev1' },
      ...{ ikeProposal: '3des-md5-ecp256', espProposal: 'aes128-sha512' },
    })
    await run('change', change)
    expect(row()).toMatchObject({ idType: 'ip', localId: null, pfs: 'dh-group14', ikeEncryptionAlgorithm: 'aes-256' })
  })

  it('has no document while it is disabled, its VIP is, or a side has no network', async () => {
    for (const [off, params, back, again] of [
      ['changeState', { stateEvent: 'disable' }, 'changeState', { stateEvent: 'enable' }],
      ['detachL3', { l3NetworkUuids: [u.l3] }, 'attachL3', { l3NetworkUuids: [u.l3] }],
      ['removeCidrs', { peerCidrs: ['10.20.0.0/24', '10.30.0.0/24'] }, 'addCidrs', { peerCidrs: ['10.20.0.0/24'] }],
    ] as const) {
      await run(off, params)
      expect([off, keysOf(`ipsec/${tunnel}`), keysOf(`vip/${vip}`)]).toEqual([off, [], []])
      await run(back, again)
      expect(keysOf(`ipsec/${tunnel}`)).toHaveLength(1)
    }
    await ran(w, 'vip.changeState', on('vip', vip, { stateEvent: 'disable' }))
    expect(document()).toBeUndefined()
  })

  it('goes with its VIP, and stays without a network that goes', async () => {
    await ran(w, 'l3Network.delete', on('l3Network', u.l3))
    expect(row()).toMatchObject({ l3NetworkRefs: [], l3NetworkUuids: [] })
    expect(graph().get('vip', vip)).toMatchObject({ useFor: 'IPsec', servedL3Uuid: null, peerL3NetworkUuids: [] })
    expect(document()).toBeUndefined()
    await ran(w, 'vip.delete', on('vip', vip))
    expect(row()).toBeUndefined()
  })

  it('leaves its VIP free when it is deleted', async () => {
    await run('delete')
    expect(graph().get('vip', vip)).toMatchObject({ useFor: null, servedL3Uuid: null, servicesRefs: [] })
  })
})

describe('a call about a connection is refused', () => {
  it.each<[string, Row, RegExp]>([
    ['the same peer by the same VIP', { peerAddress: '192.0.2.77' }, /^in-use: connection branch leads from this VIP/],
    ['networks that another one leads to', { peerCidrs: ['10.20.0.128/25'] }, /^in-use: connection branch .*10\.20\.0\.128\/25/],
    ['networks that are here', { peerCidrs: ['10.0.0.0/8'] }, /^invalid-argument: 10\.0\.0\.0\/24 here/],
    ['a peer inside its own network', { peerCidrs: ['192.0.2.0/24'] }, /^invalid-argument: the peer 192\.0\.2\.90 itself/],
    ['everything', { peerCidrs: ['0.0.0.0/0'] }, /^invalid-argument/],
    ['itself', { peerAddress: '198.51.100.15' }, /^invalid-argument: .* this side/],
    ['a name where an address is said', { remoteId: 'there' }, /^invalid-argument: remoteId is no address/],
    ['the network of the VIP', { l3NetworkUuid: publicL3 }, /^illegal-state: .*of network public itself/],
    ['a VIP that is not there', { vipUuid: id('nothing') }, /^not-found/],
    ['a network that is not there', { l3NetworkUuid: id('nothing') }, /^not-found/],
  ])('for %s', (_, params, says) => {
    expect(asked(params)).toMatch(says)
  })

  it('for a key with half a character; any other text is one', () => {
    for (const name of ['create', 'change']) {
      const complete = (authKey: string) => () =>
        actions.get(`ipsecConnection.${name}`)!.complete!({ authKey }, { graph: graph(), uuid: tunnel })
      expect(complete('a\ud800b')).toThrow(/authKey holds half a character/)
      for (const text of ['it\'s "quoted"', 'two\nlines', 'a\u0000b', '😀']) expect(complete(text)()).toEqual({ authKey: text })
    }
  })

  it('otherwise not', () => expect(asked({})).toBe('accepted'))

  it('where an EIP has the VIP, or it has what a call takes away not', async () => {
    await ran(w, ...newVip(id('other'), { requiredIp: '198.51.100.16' }))
    await ran(w, 'eip.create', { ...newEip(), params: { ...newEip().params, vipUuid: id('other'), vmNicUuid: nicOf(w) } })
    expect(asked({ vipUuid: id('other') })).toMatch(/^in-use: .*in use for Eip/)
    expect(refusal('removeCidrs', { peerCidrs: ['10.99.0.0/24'] })).toMatch(/^illegal-state: .*no peerCidr 10\.99/)
    expect(refusal('detachL3', { l3NetworkUuids: [publicL3] })).toMatch(/^illegal-state: .*no l3NetworkUuid/)
    expect(refusal('addCidrs', { peerCidrs: Array.from({ length: 40 }, (_x, n) => `10.50.${n}.0/24`) })).toMatch(
      /^illegal-state: .*at most 32/,
    )
    await run('changeState', { stateEvent: 'disable' })
    expect(refusal('reconnect', {})).toMatch(/^illegal-state: .*on no host/)
  })

  it('for networks in its list that the caller can’t see', async () => {
    const given = { ...on('ipsecConnection', tunnel, { l3NetworkUuids: [u.l3] }), accountUuid: id('stranger') }
    await expect(ran(w, 'ipsecConnection.attachL3', given)).rejects.toThrow(/not-found/)
    await ran(w, 'ipsecConnection.attachL3', { ...given, accountUuid: ADMIN_ACCOUNT })
  })
})

describe('what agents say and ask', () => {
  const status = (observed: Row, more: Partial<Status> = {}): Status => {
    const [key] = [...graph().by('desired', 'of', `ipsec/${tunnel}`)]
    return {
      ...{ noun: 'ipsec', uuid: tunnel, condition: 'Ready', error: null, observed, at: 0, bootId: 'b' },
      generation: { incarnation: graph().incarnation, seq: graph().version('desired', key!)! },
      ...more,
    }
  }
  const holder = () => keysOf(`ipsec/${tunnel}`)[0]!.split('/')[0]!

  it('a status is recorded when it is news, with its reason', async () => {
    const down = { status: 'Disconnected', cause: 'the peer does not answer', esp: 'kernel' }
    await w.commit(react(graph(), holder(), status(down), 1)!)
    expect(row()).toMatchObject({ status: 'Disconnected', statusCause: 'the peer does not answer' })
    expect(react(graph(), holder(), status(down), 2)).toBeUndefined()
    expect(react(graph(), id('another agent'), status({ ...down, status: 'Connected' }), 2)).toBeUndefined()
    await w.commit(react(graph(), holder(), status({ ...down, status: 'Connected', cause: null }), 3)!)
    expect(row()).toMatchObject({ status: 'Connected', statusCause: null })
  })

  it('one that nobody keeps any more is down', async () => {
    const agent = holder()
    await w.commit(react(graph(), agent, status({ status: 'Connected', cause: null, esp: 'kernel' }), 1)!)
    await w.commit({ ops: [{ o: 'set', t: 'desired', k: keysOf(`ipsec/${tunnel}`)[0]!, v: { tombstone: true } }] })
    await w.commit(react(graph(), agent, status({}, { condition: 'Gone' }), 2)!)
    expect(row()).toMatchObject({ status: 'Disconnected', statusCause: null })
  })

  it('the key is sealed for the agent that holds the document, and for nobody else', async () => {
    const seal = createSealKeys()
    for (const k of [u.vrouter, u.kvm]) await w.commit({ ops: [{ o: 'set', t: 'agent', k, v: { sealKey: seal.publicKey } }] })
    const bus = memoryBroker().connect()
    const serving = answerAsks({ bus, graph: graph(), secrets: { get: async (of) => `value of ${of}` } }, [ipsecKeys])
    const ask = (kind: 'vrouter' | 'kvm', agent: string, uuid = tunnel) =>
      bus.request(subjects.ask(kind, agent, ipsecAsk.verb), { connectionUuid: uuid }, { timeoutMs: 1_000 })
    const { keyUuid, key } = ipsecAsk.reply.parse((await ask('vrouter', holder())).data)
    expect(keyUuid).toBe(KEY)
    expect(unseal(seal, key, ipsecAsk.context(tunnel)).toString()).toBe(`value of ${KEY}`)
    await expect(ask('kvm', u.kvm)).rejects.toMatchObject({ code: 'permission-denied' })
    await expect(ask('vrouter', holder(), id('x'))).rejects.toMatchObject({ code: 'not-found' })
    await run('changeState', { stateEvent: 'disable' })
    await expect(ask('vrouter', u.vrouter)).rejects.toMatchObject({ code: 'not-found' })
    await serving.stop()
  })

  it('counters are its host’s, and candidates are what it could carry too', async () => {
    const calls = ipsecCalls({ graph: graph(), agents: w.agents, newId: () => 'c' })
    expect(await calls.GetIPsecConnectionCounters({ params: { uuid: tunnel } } as never)).toBeDefined()
    const candidates = (params: Row) =>
      (ipsecReads(graph())['GetCandidateL3NetworksForIpSecConnection']!({ params } as never)['inventories'] as Row[]).map(
        (l3) => l3['uuid'],
      )
    expect(candidates({ uuid: tunnel })).toEqual([])
    await run('detachL3', { l3NetworkUuids: [u.l3] })
    expect(candidates({ uuid: tunnel })).toEqual([u.l3])
    expect(candidates({ vipUuid: vip })).toEqual([u.l3])
  })
})
