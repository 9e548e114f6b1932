/** What carries a guest is killed or hangs: controller, agents, libvirtd. Jobs go on, guests run on, calls end at their deadline. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { type Console, openConsole } from '../harness/console.ts'
import type { Demo } from '../harness/demo.ts'
import { onDemoSite } from '../harness/demo-site.ts'
import { answers, uptime } from '../harness/guest.ts'
import { failing, hurried } from '../harness/hurried.ts'
import { dnsmasqPid } from '../harness/router.ts'
import { type TestSite, until } from '../harness/site.ts'
import { clean, gone, makeVm, stateOf, vmOf } from '../harness/vms.ts'

let site: TestSite
let demo: Demo
onDemoSite((on) => {
  site = on.site
  demo = on.demo
})

const qemuPid = async () => (await site.libvirtd.qemuPids())[0]

describe('the controller, killed with -9 inside a job', () => {
  const within = async (api: string, params: Row, step: string): Promise<Row> => {
    const accepted = (await site.client.call(api, params)) as { job: { uuid: string } }
    await until(`step ${step} of ${api}`, 60_000, async () => {
      const { step: at, state } = await site.client.job(accepted.job.uuid)
      return at === step || state !== 'processing'
    })
    await site.kill('controller')
    await site.start('controller')
    const ended = await site.client.waitJob(accepted.job.uuid)
    expect(ended.error ?? null, api).toBeNull()
    expect(ended.state, api).toBe('done')
    return (ended.result ?? {}) as Row
  }

  it('carries create, start, stop and destroy to their end after its restart', async () => {
    const made = await within('CreateVmInstance', { name: 'survivor', ...demo.vmParams }, 'make-volume')
    const vm = vmOf(made['inventory'] as Row)
    await answers(demo.l3, vm.ip)
    await within('StopVmInstance', { uuid: vm.uuid, type: 'grace' }, 'power-off')
    expect(await stateOf(site, vm)).toBe('Stopped')
    await within('StartVmInstance', { uuid: vm.uuid }, 'boot')
    expect(await stateOf(site, vm)).toBe('Running')
    await answers(demo.l3, vm.ip)
    await within('DestroyVmInstance', { uuid: vm.uuid }, 'power-off')
    await site.call('ExpungeVmInstance', { uuid: vm.uuid })
    await clean(site)
  })
})

describe('an agent, killed with -9', () => {
  it('finds its guest, its router and its files again: same qemu, same dnsmasq, the guest runs on', async () => {
    const vm = await makeVm(site, demo, 'steady')
    await answers(demo.l3, vm.ip)
    const pid = await qemuPid()
    const dns = await dnsmasqPid(demo.l3)
    const before = await uptime(demo.l3, vm.ip)
    for (const program of ['agent-kvm', 'agent-vrouter', 'agent-storage'] as const) {
      await site.kill(program)
      await site.start(program)
    }
    await clean(site)
    expect(await qemuPid()).toBe(pid)
    expect(await dnsmasqPid(demo.l3)).toBe(dns)
    expect(await uptime(demo.l3, vm.ip)).toBeGreaterThan(before)
    expect(await stateOf(site, vm)).toBe('Running')
    await gone(site, vm)
    await clean(site)
  })
})

describe('libvirtd that hangs for a minute', () => {
  const SECONDS = 12
  /** Heartbeats, other agents, the API and an open console go on. */
  async function othersGoOn(open: Console, step: number): Promise<void> {
    const { inventories } = await site.client.query('agent', { q: ['status=Connected'] })
    expect(inventories.map((a) => a['kind']).sort()).toEqual(['kvm', 'storage', 'vrouter'])
    expect(await open.typed(`echo sum-$((${step}+4200))\n`, `sum-${step + 4200}`)).toBeTruthy()
    const named = await site.call('UpdateL3Network', { uuid: demo.l3, name: `net-${step}` })
    expect(named['name']).toBe(`net-${step}`)
  }

  it('ends calls at their deadline, naming agent, host and step, holds up nothing else, and the same calls work afterwards', async () => {
    const [asked, stopped] = await Promise.all(['asked', 'stopped'].map((name) => makeVm(site, demo, name)))
    await answers(demo.l3, asked!.ip)
    const open = await openConsole(site, asked!.uuid)
    const client = await hurried(site.url, SECONDS)
    const reboot = () => client.call('RebootVmInstance', { uuid: asked!.uuid }, { wait: true })
    const stop = () => client.call('StopVmInstance', { uuid: stopped!.uuid, type: 'cold' }, { wait: true })
    const pids = await site.libvirtd.qemuPids()
    site.libvirtd.sigstop()
    const until60 = Date.now() + 60_000
    const ended = Promise.all([failing(reboot()), failing(stop())])
    for (let step = 1; Date.now() < until60; step++) {
      await othersGoOn(open, step)
      await sleep(4_000)
    }
    // Whoever still waits here waits for libvirtd.
    const errors = await Promise.race([ended, sleep(0).then(() => undefined)])
    site.libvirtd.sigcont()
    expect(errors, 'calls that ended while libvirtd hung').toBeDefined()
    const agent = (await site.client.query('agent', { q: ['kind=kvm'] })).inventories[0]!
    for (const [error, step] of [[errors![0], 'reboot'] as const, [errors![1], 'power-off'] as const]) {
      expect(error).toMatchObject({ code: 'deadline-exceeded' })
      expect(error.details).toMatchObject({ agentUuid: agent['uuid'], agent: agent['name'], host: 'host1', step })
    }
    open.end()
    for (const vm of [asked!, stopped!])
      await until('a running guest', 60_000, async () => (await stateOf(site, vm)) === 'Running')
    expect(await site.libvirtd.qemuPids()).toEqual(pids)
    await site.call('StopVmInstance', { uuid: stopped!.uuid, type: 'cold' })
    expect(await stateOf(site, stopped!)).toBe('Stopped')
    await site.call('RebootVmInstance', { uuid: asked!.uuid })
    for (const vm of [asked!, stopped!]) await gone(site, vm)
    await clean(site)
  })
})
