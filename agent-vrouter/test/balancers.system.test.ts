/** Load balancers on the real tools: haproxy in a router's namespace, clients outside, servers among its guests, real packets. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { routerNetns } from '@skerry/contract'
import { haproxyFiles } from '@skerry/host'
import type { Reconciler } from '@skerry/reconcile'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { balancerDir } from '../src/balancers/spec.ts'
import { HealthWatch } from '../src/balancers/watch.ts'
import { inventory } from '../src/inventory.ts'
import { type Guest, Lab } from './lab.ts'
import { address, ask, flow, serve } from './talk.ts'
import { balancerListener, Desired, newUuid, quickHealth, routerSpec, vipSpec } from './world.ts'

// events, not times: the ceiling is only there for a stuck run
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const lab = new Lab()
const desired = new Desired()
const [router, l3, vip, balancer] = [newUuid(), newUuid(), newUuid(), newUuid()]
const [TCP, WEB, SECURE, A, B] = [newUuid(), newUuid(), newUuid(), newUuid(), newUuid()]
const bridges = { lan: `skbra${lab.suffix}`, pub: `skbrp${lab.suffix}` }
const VIP = '198.51.100.20'
const FAR = '192.0.2.77'
const FARTHER = '192.0.2.78'
const netns = routerNetns(router)
const dir = () => balancerDir(lab.stateDir, balancer)
const serverA = (port: number, weight = 100) => ({ uuid: A, ip: '10.10.0.10', port, weight })
const serverB = (port: number, weight = 100) => ({ uuid: B, ip: '10.10.0.11', port, weight })
let loop: Reconciler
let one: Guest
let two: Guest
let far: Guest

async function ready(): Promise<void> {
  await loop.pass()
  expect(lab.faults).toEqual([])
  const faulty = loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Gone')
  expect(faulty.map((s) => s.error ?? s.condition)).toEqual([])
}
const tcp = (change = {}) => balancerListener({ uuid: TCP, servers: [serverA(9000)], ...change })
const web = (change = {}) =>
  balancerListener({ uuid: WEB, protocol: 'http', port: 8080, servers: [serverA(7000), serverB(7000)], ...change })
let listeners = [tcp()]
async function become(next: typeof listeners): Promise<void> {
  listeners = next
  desired.put('balancer', balancer, { routerUuid: router, ip: VIP, listeners })
  await ready()
}
const pid = async () => (await lab.host.haproxy.running(dir()))?.pid
const worker = async () => (await lab.host.haproxy.at(dir()).view())?.digest
/** Process of the worker: another one after a reload. */
const workers = async () =>
  (await lab.host.process.list()).filter((p) => p.cmdline[0] === 'haproxy' && p.cmdline.includes(dir())).map((p) => p.pid)
/** The others serve their connections to the end. */
const newest = async () => Math.max(...(await workers()))
const observed = () =>
  loop.statuses().find((s) => s.uuid === balancer)?.observed as { servers: Record<string, Record<string, string>> }
const curl = async (argv: readonly string[]) =>
  (await far.run('curl', ['-s', '--max-time', '3', '--interface', FAR, ...argv], [0, 7, 28, 35, 52, 55, 56])).trim()

/** A web server that tells its name, and the headers that a proxy adds; `/sick` is answered with 500. */
async function web80(guest: Guest, name: string): Promise<void> {
  const program = `require('http').createServer((q,r)=>{r.statusCode=q.url==='/sick'?500:200;
    r.end('${name} '+q.headers['x-forwarded-for']+' '+q.headers['x-forwarded-proto'])}).listen(7000,'0.0.0.0',()=>console.log('up'))`
  const child = lab.inside(guest.netns, [process.execPath, '-e', program])
  await new Promise((resolve) => child.stdout?.once('data', resolve))
}
async function makeCertificate(name: string): Promise<{ uuid: string; fingerprint: string }> {
  const [key, crt] = [join(lab.root, 'key'), join(lab.root, 'crt')]
  const argv = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`]
  await lab.host.exec.run('openssl', [...argv, '-days', '2', '-keyout', key, '-out', crt], { timeoutMs: 20_000 })
  const pem = `${await lab.host.files.read(crt)}${await lab.host.files.read(key)}`
  const uuid = newUuid()
  lab.certificates.set(uuid, pem)
  return { uuid, fingerprint: new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase() }
}

const programs = ['ip', 'nft', 'haproxy', 'conntrack', 'curl', 'openssl']
describe.runIf(requireOrSkip('load balancers on real tools', { root: true, programs }))('load balancers', () => {
  beforeAll(async () => {
    await lab.up()
    await lab.bridge(bridges.lan)
    await lab.bridge(bridges.pub)
    ;[one, two, far] = [await lab.guest('a', bridges.lan), await lab.guest('b', bridges.lan), await lab.guest('f', bridges.pub)]
    await address(one, '10.10.0.10/24', '10.10.0.1')
    await address(two, '10.10.0.11/24', '10.10.0.1')
    await address(far, '198.51.100.1/24')
    for (const ip of [FAR, FARTHER]) await far.run('ip', ['addr', 'add', `${ip}/32`, 'dev', 'lo'])
    await Promise.all([serve(lab, one, 'one', [9000]), serve(lab, two, 'two', [9000]), web80(one, 'one'), web80(two, 'two')])
    desired.put('router', router, routerSpec(bridges.lan, { services: { dhcp: false, dns: false, snat: true } }))
    desired.put('vip', vip, vipSpec({ routerUuid: router, l3NetworkUuid: l3, bridge: bridges.pub }, 20))
    loop = lab.loop(desired)
  })
  afterAll(() => lab.down([router]))

  test('is made in one pass with its address, and a second one touches nothing', async () => {
    await become([tcp()])
    const before = [await pid(), await workers(), await lab.host.nft.at(netns).tables()]
    expect(await ask(far, VIP, 80, FAR)).toMatch(/^one 9000 10\.10\.0\.1$/)
    await ready()
    expect([await pid(), await workers(), await lab.host.nft.at(netns).tables()]).toEqual(before)
    expect(observed().servers).toEqual({ [TCP]: { [A]: 'Unchecked' } })
    // what has no listener is closed
    expect(await ask(far, VIP, 9000, FAR)).toBeUndefined()
  })

  test('guests reach it from inside too', async () => {
    expect(await ask(two, VIP, 80)).toMatch(/^one 9000/)
  })

  test('servers come, weigh and go without a reload, and an open connection goes on', async () => {
    const open = await flow(lab, far, VIP, 80)
    const before = [await pid(), await workers()]
    await become([tcp({ servers: [serverA(9000), serverB(9000)] })])
    const callers = async () =>
      [await ask(far, VIP, 80, FAR), await ask(far, VIP, 80, FAR)].map((text) => text?.slice(0, 3)).sort()
    expect(await callers()).toEqual(['one', 'two'])
    await open.alive()
    await become([tcp({ servers: [serverA(9000, 0), serverB(9000)] })])
    expect(await callers()).toEqual(['two', 'two'])
    await open.alive()
    await become([tcp({ servers: [serverA(9000)] })])
    expect(await callers()).toEqual(['one', 'one'])
    await open.alive()
    expect([await pid(), await workers()]).toEqual(before)
    open.close()
  })

  test('another listener is a reload that cuts no connection, and one that goes takes its connections along', async () => {
    const open = await flow(lab, far, VIP, 80)
    const before = await worker()
    await become([tcp(), web()])
    expect(await worker()).not.toBe(before)
    await open.alive()
    const answers = await Promise.all(Array.from({ length: 4 }, () => curl([`http://${VIP}:8080/`])))
    expect(answers.sort()).toEqual([`one ${FAR} http`, `one ${FAR} http`, `two ${FAR} http`, `two ${FAR} http`])
    const fresh = await flow(lab, far, VIP, 80)
    await become([web()])
    await fresh.dead()
    expect(await ask(far, VIP, 80, FAR)).toBeUndefined()
    for (const one of [open, fresh]) one.close()
  })

  test('lists of addresses let in and keep out without a reload', async () => {
    const before = await newest()
    await become([web({ deny: [`${FAR}/32`] })])
    expect(await curl([`http://${VIP}:8080/`])).toBe('')
    await become([web({ allow: ['192.0.2.78', '10.0.0.0/8'] })])
    expect(await curl([`http://${VIP}:8080/`])).toBe('')
    expect((await far.run('curl', ['-s', '--interface', FARTHER, `http://${VIP}:8080/`])).slice(4)).toBe(`${FARTHER} http`)
    await become([web({ allow: ['192.0.2.0/24'] })])
    expect(await curl([`http://${VIP}:8080/`])).toContain(FAR)
    expect(await newest()).toBe(before)
  })

  test('a client keeps its server by a cookie, also one that came later, and by its address', async () => {
    const cookie = { by: 'cookie', name: 'SRV', how: 'insert', idleSeconds: 60 } as const
    await become([web({ persistence: cookie, servers: [serverA(7000)] })])
    await become([web({ persistence: cookie })])
    const jar = (name: string) => ['-c', join(lab.root, name), '-b', join(lab.root, name), `http://${VIP}:8080/`]
    const seen = new Set<string>()
    for (const name of ['one', 'two', 'three', 'four']) {
      const first = await curl(jar(name))
      seen.add(first)
      for (let n = 0; n < 3; n++) expect(await curl(jar(name))).toBe(first)
    }
    expect(seen.size).toBe(2)
    await become([web({ persistence: { by: 'source' } })])
    expect(new Set([await curl(jar('x')), await curl(jar('y')), await curl(jar('z'))]).size).toBe(1)
  })

  test('speaks TLS with the certificate that was asked for, and with another one without a reload', async () => {
    const [first, second] = [await makeCertificate('first'), await makeCertificate('second')]
    const secure = (certificate: typeof first, change = {}) =>
      balancerListener({
        ...{ uuid: SECURE, protocol: 'https', port: 443, servers: [serverA(7000)], certificate },
        tls: { min: 'TLSv1.2', max: 'TLSv1.3' },
        ...change,
      })
    const subject = async () =>
      /subject: CN\s*=\s*(\S+)/i.exec(await far.run('curl', ['-skv', '--stderr', '-', `https://${VIP}/`]))?.[1]
    await become([web(), secure(first)])
    expect(await curl(['-k', `https://${VIP}/`])).toBe(`one ${FAR} https`)
    expect(await subject()).toBe('first')
    const before = await newest()
    const file = `${dir()}/${haproxyFiles.certificate(SECURE)}`
    expect((await lab.host.files.stat(file))?.mode).toBe(0o600)
    await become([web(), secure(second)])
    expect(await subject()).toBe('second')
    expect(await newest()).toBe(before)
    // it is the one that the file has, too
    await lab.host.haproxy.stop(dir())
    await ready()
    expect(await subject()).toBe('second')
    lab.certificates.set(first.uuid, lab.certificates.get(second.uuid)!)
    desired.put('balancer', balancer, { routerUuid: router, ip: VIP, listeners: [web(), secure(first)] })
    await loop.pass()
    expect(loop.statuses().find((s) => s.uuid === balancer)?.error).toMatchObject({ code: 'invalid-document' })
    expect(await subject()).toBe('second')
    lab.faults.length = 0
    await become([web()])
    expect(await lab.host.files.read(file)).toBeUndefined()
  })

  test('who fails its checks gets no clients, and its state is told', async () => {
    const told: unknown[] = []
    const timers = {
      set: (fn: () => void, ms: number) => setTimeout(fn, ms / 10),
      clear: (h: unknown) => clearTimeout(h as never),
      nowMs: () => 0,
    }
    const ports = { host: lab.host, stateDir: lab.stateDir, timers, onFault: (error: unknown) => lab.faults.push(error) }
    const watch = new HealthWatch({ ...ports, signal: (of) => told.push(of) } as ConstructorParameters<typeof HealthWatch>[0])
    const state = async () => {
      await ready()
      return observed().servers[WEB]
    }
    await become([web({ health: quickHealth({ kind: 'http', path: '/' }), servers: [serverA(7000), serverB(7001)] })])
    await vi.waitFor(async () => expect(await state()).toEqual({ [A]: 'Up', [B]: 'Down' }), { interval: 100 })
    for (let n = 0; n < 4; n++) expect(await curl([`http://${VIP}:8080/`])).toMatch(/^one/)
    expect(told).toContainEqual([{ noun: 'balancer', uuid: balancer }])
    await become([web({ health: quickHealth({ kind: 'http', path: '/' }) })])
    await vi.waitFor(async () => expect(await state()).toEqual({ [A]: 'Up', [B]: 'Up' }), { interval: 100 })
    await become([web({ health: quickHealth({ kind: 'http', path: '/sick' }) })])
    await vi.waitFor(async () => expect(await state()).toEqual({ [A]: 'Down', [B]: 'Down' }), { interval: 100 })
    expect(await curl(['-o', '/dev/null', '-w', '%{http_code}', `http://${VIP}:8080/`])).toBe('503')
    watch.stop()
  })

  test('an agent that starts again finds it, and starts it when it was killed', async () => {
    await become([web()])
    const before = await pid()
    loop = lab.loop(desired)
    await ready()
    expect(await pid()).toBe(before)
    process.kill(before!, 'SIGKILL')
    await vi.waitFor(async () => expect(await pid()).toBeUndefined())
    await ready()
    expect(await curl([`http://${VIP}:8080/`])).toContain(FAR)
  })

  test('a router that is made anew gets it again', async () => {
    await lab.real.ip.netns.del(netns)
    await ready()
    expect(await curl([`http://${VIP}:8080/`])).toContain(FAR)
    expect((await workers()).length).toBe(2)
  })

  test('two listeners on a port are refused, and change nothing', async () => {
    desired.put('balancer', balancer, { routerUuid: router, ip: VIP, listeners: [web(), tcp({ port: 8080 })] })
    await loop.pass()
    expect(loop.statuses().find((s) => s.uuid === balancer)).toMatchObject({ condition: 'Refused' })
    expect(await curl([`http://${VIP}:8080/`])).toContain(FAR)
    await become([web()])
  })

  test('goes with its tombstone, and nothing of it is left', async () => {
    desired.bury('balancer', balancer)
    await ready()
    expect([await workers(), await lab.host.files.stat(dir())]).toEqual([[], undefined])
    expect(await curl([`http://${VIP}:8080/`])).toBe('')
    const items = await inventory({ host: lab.host, stateDir: lab.stateDir, hostTable: 'skerry_vrouter' })
    expect(items.filter(({ kind }) => kind === 'balancer' || kind === 'haproxy')).toEqual([])
  })
})
