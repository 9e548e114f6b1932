/** `pnpm exec tsx agent-vrouter/test/bench.ts` as root: 5,000 leases on one real router. Prints; judges nothing. */
import { routerDir } from '../src/routers/service.ts'
import { Lab } from './lab.ts'
import { Desired, leaseSpec, newUuid, routerSpec } from './world.ts'

const LEASES = 5_000
const PASSES = 10

const lab = new Lab()
const router = newUuid()
const desired = new Desired()

async function measure(what: string, act: () => Promise<unknown>): Promise<void> {
  const [startMs, cpu] = [performance.now(), process.cpuUsage()]
  await act()
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `${what}: ${(performance.now() - startMs).toFixed(1)} ms, ${((user + system) / 1000).toFixed(1)} ms CPU of the agent`,
  )
}

try {
  await lab.up()
  const bridge = `skbrx${lab.suffix}`
  await lab.bridge(bridge)
  desired.put('router', router, routerSpec(bridge, { cidrs: [{ cidr: '10.10.0.0/16', gateway: '10.10.0.1' }] }))
  const loop = lab.loop(desired)
  await measure('a router', () => loop.pass())
  for (let n = 10; n < LEASES + 10; n++) desired.put('lease', newUuid(), leaseSpec(router, n))
  await measure(`${LEASES} leases at once`, () => loop.pass())
  await loop.pass() // warm
  await measure(`${PASSES} passes without a change`, async () => {
    for (let n = 0; n < PASSES; n++) await loop.pass()
  })
  const [routers, leases] = lab.modules()
  const context = { bootId: 'b', nowMs: Date.now(), wanted: [], buried: new Map(), wantedOf: () => [], buriedOf: () => [] }
  await measure('observe routers', () => routers.observe(context))
  await measure('observe leases', () => leases.observe(context))
  desired.put('lease', newUuid(), leaseSpec(router, LEASES + 10))
  await measure('one lease more', () => loop.pass())
  const { statSync } = await import('node:fs')
  console.log(
    `hosts file ${statSync(`${routerDir(lab.stateDir, router)}/hosts`).size} bytes, faults ${lab.faults.length}, not ready ${loop.statuses().filter((s) => s.condition !== 'Ready' && s.condition !== 'Orphaned').length}`,
  )
} finally {
  await lab.down([router])
}
