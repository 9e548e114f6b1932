import { decode, type User } from '@nats-io/jwt'
import { SkerryError, subjects } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { covers, createSite, credsFile, inboxOfCreds, issueUser, renderConf, rightsOf, serverConfig } from '../src/index.ts'

const uuid = '0123456789abcdef0123456789abcdef'
const tls = { certFile: '/s/cert.pem', keyFile: '/s/key.pem', caFile: '/s/ca.pem' }

describe('user JWTs', () => {
  it('hold exactly the lists of rightsOf(), one answer a request, and only the plain connection type', async () => {
    const site = await createSite()
    const agent = { kind: 'vrouter', uuid }
    const { jwt, publicKey, inboxPrefix } = await issueUser({ accountSeed: site.account.seed, kind: 'agent', agent })
    const claims = decode<User>(jwt)
    const rights = rightsOf({ kind: 'agent', agent })
    expect(claims).toMatchObject({ sub: publicKey, iss: site.account.publicKey })
    expect(claims.exp).toBeUndefined()
    expect(claims.nats).toMatchObject({
      pub: { allow: rights.publish, deny: [] },
      sub: { allow: rights.subscribe, deny: [] },
      resp: { max: 1 },
      allowed_connection_types: ['STANDARD'],
    })
    expect(claims.nats.bearer_token ?? false).toBe(false)
    expect(inboxPrefix).toBe(`_INBOX_${uuid}`)
  })

  it('of agents name nothing but that agent, services, and its inbox', () => {
    const { publish, subscribe } = rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid } })
    const own = new RegExp(`^(skerry\\.v1\\.agent\\.kvm\\.${uuid}\\.(status\\.>|progress\\.>|ask\\.>|hb|io\\.>)$)`)
    for (const subject of publish) expect(subject).toMatch(own)
    for (const subject of subscribe)
      expect(subject).toMatch(/^(skerry\.v1\.agent\.kvm\.|_INBOX_)0123|^\$SRV\.(PING|INFO|STATS)(\.agent-kvm(\.0123.*)?)?$/)
  })

  it('let an agent say and hear each of its subjects in the contract, and call for nobody else', () => {
    const { publish, subscribe } = rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid } })
    const allowed = (list: readonly string[], subject: string): boolean => list.some((p) => covers(p, subject))
    const said = [
      subjects.status('kvm', uuid, 'vm', uuid),
      subjects.progress('kvm', uuid, 'c1'),
      subjects.ask('kvm', uuid, 'sync'),
      subjects.heartbeat('kvm', uuid),
      subjects.io('kvm', uuid, 's1', 'out'),
    ]
    for (const subject of said) expect(allowed(publish, subject), subject).toBe(true)
    for (const pattern of [subjects.doAll('kvm', uuid), subjects.io('kvm', uuid, 's1', 'in')])
      expect(allowed(subscribe, pattern), pattern).toBe(true)
    for (const subject of [
      subjects.do('kvm', uuid, 'vm', uuid, 'start'),
      subjects.api('vm', undefined, 'create'),
      subjects.event('vm', uuid, 'x'),
    ]) {
      expect(allowed(publish, subject), subject).toBe(false)
    }
  })

  it('expire when told to', async () => {
    const site = await createSite()
    const expiresAt = new Date('2031-01-02T03:04:05.678Z')
    const { jwt } = await issueUser({ accountSeed: site.account.seed, kind: 'controller', expiresAt })
    expect(decode(jwt).exp).toBe(Math.floor(expiresAt.getTime() / 1000))
  })

  it.each([
    { kind: '*', uuid },
    { kind: 'kvm.>', uuid },
    { kind: 'KVM', uuid },
    { kind: '', uuid },
    { kind: 'kvm', uuid: '*' },
    { kind: 'kvm', uuid: '>' },
    { kind: 'kvm', uuid: `${uuid}.x` },
    { kind: 'kvm', uuid: uuid.toUpperCase() },
  ])('are not issued to an agent called $kind $uuid', async (agent) => {
    const site = await createSite()
    await expect(issueUser({ accountSeed: site.account.seed, kind: 'agent', agent })).rejects.toThrow(SkerryError)
  })

  it('are not issued with, or to, keys of the wrong kind, and the error keeps the key to itself', async () => {
    const site = await createSite()
    const wrong = [
      { accountSeed: site.operator.seed },
      { accountSeed: site.account.publicKey },
      { accountSeed: `${site.account.seed.slice(0, -1)}!` },
      { accountSeed: site.account.seed, userPublicKey: site.account.publicKey },
      { accountSeed: site.account.seed, userPublicKey: 'UXXX' },
    ]
    for (const keys of wrong) {
      const error: unknown = await issueUser({ ...keys, kind: 'controller' }).catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'invalid-argument' })
      expect(JSON.stringify(error) + String((error as SkerryError).message)).not.toContain(keys.accountSeed)
    }
  })
})

describe('nats-server.conf', () => {
  it('requires TLS, preloads the system account alone, names no anonymous user and opens no other port', async () => {
    const site = await createSite()
    const conf = serverConfig({
      ...{ site, listen: { host: '::1', port: 4222 }, tls, pidFile: '/s/pid' },
      jetstreamDir: '/s/js',
      resolverDir: '/s/accounts',
    })
    expect(conf).toContain('tls {\n  cert_file: "/s/cert.pem"\n')
    expect(conf).toContain('host: "::1"\nport: 4222\n')
    expect(conf).toContain(
      'resolver {\n  type: "full"\n  dir: "/s/accounts"\n  allow_delete: false\n  interval: "2m"\n}\n' +
        `resolver_preload {\n  ${site.systemAccount.publicKey}: "${site.systemAccount.jwt}"\n}\n`,
    )
    // a preloaded account would win over a newer one, with its revocations, at each start of the server
    expect(conf).not.toContain(site.account.jwt)
    expect(conf).toContain('max_payload: 1048576\n')
    expect(conf).toContain('pid_file: "/s/pid"\n')
    expect(conf).not.toMatch(/no_auth_user|log_file|http|cluster|leafnodes|websocket|mqtt|monitor/)
    for (const { seed } of [site.operator, site.systemAccount, site.account, site.signingKey]) expect(conf).not.toContain(seed)
  })

  it('quotes every text, and refuses what it cannot hold', () => {
    expect(renderConf({ a: 'x" } b: "y\\', n: 1, yes: true, gone: undefined, in: { v: '$HOME' } })).toBe(
      'a: "x\\" } b: \\"y\\\\"\nn: 1\nyes: true\nin {\n  v: "$HOME"\n}\n',
    )
    expect(() => renderConf({ a: 'line\nbreak' })).toThrow(SkerryError)
    expect(() => renderConf({ 'a b': 'x' })).toThrow(SkerryError)
    expect(() => renderConf({ include: { 'x}': 1 } })).toThrow(SkerryError)
    expect(() => renderConf({ n: 1.5 })).toThrow(SkerryError)
  })
})

describe('the inbox of a creds file', () => {
  it('is the one that its user may subscribe to', async () => {
    const site = await createSite()
    const user = await issueUser({ accountSeed: site.account.seed, kind: 'operator-cli' })
    expect(inboxOfCreds(credsFile({ jwt: user.jwt, seed: user.seed! }))).toBe(user.inboxPrefix)
    expect(inboxOfCreds('no credentials at all')).toBeUndefined()
  })
})
