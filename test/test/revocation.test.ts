/** Keys are shut out and replaced while the site works: real nats-server, real controller process, real agents' code. */
import { enrol, type Identity, loadIdentity } from '@skerry/agent'
import type { AgentKind, Row, SkerryError } from '@skerry/contract'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AGENT_KINDS } from '../harness/fake-machine.ts'
import { type KeyedSite, startKeyedSite } from '../harness/keyed-site.ts'
import { until } from '../harness/site.ts'
import { MANAGEMENT_IP } from '../harness/small-site.ts'
import { newUuid } from '../harness/zstack-client.ts'

const CEILING_MS = 60_000

if (requireOrSkip('keys', { programs: ['nats-server'] })) {
  describe('revocation', () => {
    let site: KeyedSite
    beforeAll(async () => {
      site = await startKeyedSite()
    }, CEILING_MS)
    afterAll(() => site.stop())

    const agent = async (uuid: string): Promise<Row> =>
      ((await site.own('GET', `/agents/${uuid}`)) as { inventories: Row[] }).inventories[0]!
    const identityOf = (kind: AgentKind) =>
      loadIdentity(site.machine.host.files, `/var/lib/skerry/agent-${kind}`, kind) as Promise<Identity>
    const refused = (identity: Identity) =>
      site.connect(identity).then(
        async (bus) => {
          await bus.close()
          return 'let in'
        },
        (error: SkerryError) => error.code,
      )
    const connected = (uuid: string) =>
      until(`agent ${uuid} connected`, CEILING_MS, async () => (await agent(uuid))['status'] === 'Connected')

    it('cuts an agent off at once, for ever, and nobody else', async () => {
      for (const kind of AGENT_KINDS) await connected(site.machine.agents[kind])
      const { storage, kvm, vrouter } = site.machine.agents
      const identity = await identityOf('storage')
      const states: string[] = []
      const others: string[] = []
      const watched = await site.connect(identity)
      watched.onState((state) => void states.push(state))
      const other = await site.connect(await identityOf('kvm'))
      other.onState((state) => void others.push(state))

      const { plan } = (await site.own('PUT', `/agents/${storage}/actions?dryRun=true`, { revokeAgent: {} })) as { plan: Row }
      expect(plan['changes']).toMatchObject([{ resource: 'agent', key: storage, values: { revokedDate: expect.any(Number) } }])
      expect([await refused(identity), (await agent(storage))['revokedDate'] ?? null]).toEqual(['let in', null])

      const answer = await site.own('PUT', `/agents/${storage}/actions`, { revokeAgent: {} })
      expect(answer).toMatchObject({ uuid: storage, publicKey: identity.publicKey, enforced: true })
      await until('the connection is cut', CEILING_MS, () => states.includes('disconnected'))
      await watched.close()
      expect(others).toEqual(['connected'])
      expect(await refused(identity)).toBe('permission-denied')
      expect((await agent(storage))['revokedDate']).not.toBeNull()

      await site.nats.restart()
      expect(await refused(identity)).toBe('permission-denied')
      await site.kill()
      await site.start()
      expect(await refused(identity)).toBe('permission-denied')
      // a server that lost what it knew of the account is told again
      await site.nats.forgetAccount()
      await until('the others are back', CEILING_MS, async () => (await refused(await identityOf('kvm'))) === 'let in')
      expect(await refused(identity)).toBe('permission-denied')
      for (const uuid of [kvm, vrouter]) await connected(uuid)
      await until('the other connection is back', CEILING_MS, () => others.at(-1) === 'connected')
      await other.close()
    }, 120_000)

    it('does not let the same key enrol again, but the machine with another and a token', async () => {
      const identity = await identityOf('storage')
      await site.machine.end('storage')
      const token = String((await site.own('POST', '/agents/tokens', {}))['token'])
      const { publicKey, sealPublicKey: sealKey } = identity
      const about = { token, kind: 'storage', machineId: newUuid(), managementIp: MANAGEMENT_IP, version: '0' }
      await expect(site.own('POST', '/agents/enrol', { params: { ...about, publicKey, sealKey } })).rejects.toThrow(
        'enrolment-refused',
      )
      site.machine.wipe('storage', 'all')
      await site.machine.begin('storage')
      expect(site.machine.agents.storage).toBe(identity.uuid)
      await connected(identity.uuid)
      expect((await agent(identity.uuid))['revokedDate'] ?? null).toBeNull()
      expect(await refused(identity)).toBe('permission-denied')
    }, 60_000)

    it('comes with the deletion of an agent', async () => {
      const extra = await enrol({
        ...{ controllerUrl: site.url, token: String((await site.own('POST', '/agents/tokens', {}))['token']), kind: 'kvm' },
        ...{ machineId: newUuid(), managementIp: '192.0.2.77', stateDir: '/extra', files: site.machine.host.files, fetch },
      })
      expect(await refused(extra)).toBe('let in')
      await site.own('DELETE', `/agents/${extra.uuid}?wait=30s`)
      await until('it is refused', CEILING_MS, async () => (await refused(extra)) === 'permission-denied')
    }, 60_000)

    it('is an administrator’s alone, and of an agent that exists', async () => {
      await expect(site.own('PUT', `/agents/${newUuid()}/actions`, { revokeAgent: {} })).rejects.toThrow('404')
      const response = await fetch(`${site.url}/v1/agents/${newUuid()}/actions`, { method: 'PUT', body: '{"revokeAgent":{}}' })
      expect(response.status).toBe(401)
    })
  })
}
