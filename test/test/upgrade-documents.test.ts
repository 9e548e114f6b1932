/** Agents and controllers of neighbouring versions on one site. The next schema of a VM's document is made up here: it names a firmware. */
import { type DocumentVersions, documentCasts, kvmDesired, line, type NounCasts, type Row } from '@skerry/contract'
import { projections } from '@skerry/controller/in-process'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { OwnClient } from '../harness/own-client.ts'
import { type SmallSite, type SmallSiteOptions, startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld, type SmallWorld } from '../harness/small-world.ts'

/** A name that asks for what the older schema can't say. */
const wantsUefi = (name: unknown) => String(name).startsWith('uefi')

const thisSchema = kvmDesired.vm.schema
const nextSchema = thisSchema + 1

const casts: NounCasts = {
  up: { ...documentCasts['vm']?.up, [thisSchema]: (spec) => ({ ...spec, firmware: 'bios' }) },
  down: { ...documentCasts['vm']?.down, [nextSchema]: ({ firmware, ...spec }) => (firmware === 'bios' ? spec : undefined) },
}
const nextVersions: DocumentVersions = { schemaOf: (noun) => (noun === 'vm' ? nextSchema : 1), casts: { vm: casts } }

/** The controller's projection of the next version. Gives what takes it back. */
function projectFirmware(): () => void {
  const projection = projections.find(({ noun }) => noun === 'vm')! as { spec: (typeof projections)[number]['spec'] }
  const before = projection.spec
  projection.spec = (graph, uuid, agentUuid) => {
    const spec = before(graph, uuid, agentUuid)
    return { ...spec, firmware: wantsUefi(graph.get('vmInstance', uuid)?.['name']) ? 'uefi' : 'bios' }
  }
  return () => void (projection.spec = before)
}

/** An agent-kvm of the next version; notes which firmware its documents want. */
function nextAgent(seen: Set<string>): NonNullable<SmallSiteOptions['otherParts']> {
  const spec = kvmDesired.vm.spec.extend({ firmware: line(16) })
  return (kind, parts) => {
    if (kind !== 'kvm') return parts
    const modules = parts.modules.map((module) => {
      if (module.noun !== 'vm') return module
      const plan: typeof module.plan = (want, have, context) => {
        for (const { spec: wanted } of want) seen.add((wanted as { firmware: string }).firmware)
        return module.plan(want, have, context)
      }
      return { ...module, schema: nextSchema, spec, casts, plan }
    })
    return { ...parts, modules }
  }
}

interface Bench {
  site: SmallSite
  world: SmallWorld
  own: OwnClient
  create(name: string): ReturnType<OwnClient['call']>
  /** the ledger's file of a VM */
  kept(vm: string): Row | undefined
  /** what has become of a VM's domain so far: its state, and each start, stop, … */
  life(vm: string): string
}

async function bench(o: SmallSiteOptions): Promise<Bench> {
  const site = await startSmallSite(o)
  const lives = new Map<string, string[]>()
  // A definition is written anew when the VM's name changes; that restarts nothing.
  site.machine.libvirt.onLifecycle(({ domainUuid: vm, event }) => {
    if (event !== 'defined') lives.set(vm, [...(lives.get(vm) ?? []), event])
  })
  const world = await makeSmallWorld(site)
  const own = new OwnClient(site.url, site.client.session)
  const params = { instanceOfferingUuid: world.offering, imageUuid: world.image, l3NetworkUuids: [world.l3] }
  const folder = '/var/lib/skerry/agent-kvm/ledger/desired/vm'
  return {
    ...{ site, world, own },
    create: (name) => own.call('CreateVmInstance', { name, ...params }),
    kept(vm) {
      const file = site.machine.host.disk.files.get(`${folder}/${vm}.json`)
      return file && (JSON.parse(Buffer.from(file.data).toString().split('\n')[0]!) as { document: Row }).document
    },
    life: (vm) => `${site.machine.libvirt.inventory().find((d) => d.uuid === vm)?.state} after ${lives.get(vm)?.join(', ')}`,
  }
}

const soon = { timeout: 30_000, interval: 20 }
const uuidOf = (answer: { text: string; body: Row | undefined }) => {
  const inventory = answer.body?.['inventory'] as { uuid: string } | undefined
  if (!inventory) throw new Error(answer.text)
  return inventory.uuid
}

describe('a controller that is newer than its agents', () => {
  let b: Bench
  let vm: string
  let other: string
  let projectAsBefore: () => void
  const seen = new Set<string>()
  let next: SmallSiteOptions['otherParts']
  const conditions = async () => (await b.own.send({ method: 'GET', path: '/conditions' })).text

  beforeAll(async () => {
    projectAsBefore = projectFirmware()
    b = await bench({ versions: nextVersions, otherParts: (kind, parts) => next?.(kind, parts) ?? parts })
    vm = uuidOf(await b.create('web'))
    other = uuidOf(await b.create('db'))
  })
  afterAll(async () => {
    await b?.site.stop()
    projectAsBefore?.()
  })

  test('sends them documents of the schema that they read', async () => {
    expect(b.kept(vm)).toMatchObject({ schema: thisSchema, spec: { name: 'web' } })
    expect(b.kept(vm)?.['spec']).not.toHaveProperty('firmware')
    expect(await b.site.client.call('QueryVmInstance', { uuid: vm })).toMatchObject({ inventories: [{ state: 'Running' }] })
  })

  test('and agrees with them on what they hold: nothing is sent twice', async () => {
    const { asked, machine } = b.site
    const heard = () => asked.filter(({ subject }) => subject.endsWith('.statuses')).length
    const [before, statuses] = [asked.length, heard()]
    await machine.end('kvm')
    await machine.begin('kvm')
    await vi.waitUntil(() => heard() > statuses, soon)
    await b.site.settled()
    expect(asked.slice(before).filter(({ subject }) => /\.(sync|digest)$/.test(subject))).toEqual([])
  })

  test('shows a plan of what they would do', async () => {
    const answer = await b.own.send({
      method: 'PUT',
      path: `/vm-instances/${vm}/actions?dryRun=true`,
      body: '{"stopVmInstance":{}}',
    })
    const [agent] = (answer.body as { plan: { agents: { kind: string; changes: Row[] }[] } }).plan.agents
    expect([agent?.kind, agent?.changes[0]?.['noun']]).toEqual(['kvm', 'vm'])
  })

  test('fails what they are too old for, saying so, and leaves their host as it is', async () => {
    const domains = () => JSON.stringify(b.site.machine.libvirt.inventory())
    const before = domains()
    const answer = await b.create('uefi only')
    expect(answer.status).toBe(409)
    expect(answer.body).toMatchObject({
      code: 'agent-too-old',
      hint: expect.stringContaining('Upgrade'),
      details: { noun: 'vm', schema: nextSchema, known: thisSchema },
    })
    await b.site.settled()
    expect(domains()).toBe(before)
  })

  test('keeps running what it can no longer describe to them, and shows the condition', async () => {
    const life = b.life(other)
    expect(life).toMatch(/^running after started$/)
    expect((await b.own.call('UpdateVmInstance', { uuid: other, name: 'uefi db' })).status).toBe(200)
    await vi.waitUntil(async () => (await conditions()).includes('agent-too-old'), soon)
    expect([b.life(other), b.kept(other)]).toMatchObject([life, { schema: thisSchema, spec: { name: 'db' } }])
  })

  test('sends them the same documents in the newer schema once they are upgraded; nothing restarts, and the condition is gone', async () => {
    const lives = [b.life(vm), b.life(other)]
    const generation = b.kept(vm)?.['generation']
    await b.site.machine.end('kvm')
    next = nextAgent(seen)
    await b.site.machine.begin('kvm')
    await vi.waitUntil(() => b.kept(vm)?.['schema'] === nextSchema && b.kept(other)?.['schema'] === nextSchema, soon)
    expect(b.kept(vm)).toMatchObject({ generation, spec: { firmware: 'bios' } })
    expect(b.kept(other)).toMatchObject({ spec: { name: 'uefi db', firmware: 'uefi' } })
    await vi.waitUntil(() => seen.has('uefi'), soon)
    await vi.waitUntil(async () => !(await conditions()).includes('agent-too-old'), soon)
    expect([b.life(vm), b.life(other)]).toEqual(lives)
    uuidOf(await b.create('uefi now'))
  })

  test('goes back to the older schema when they are downgraded', async () => {
    const life = b.life(vm)
    await b.site.machine.end('kvm')
    next = undefined
    await b.site.machine.begin('kvm')
    await vi.waitUntil(() => b.kept(vm)?.['schema'] === thisSchema, soon)
    expect(b.life(vm)).toBe(life)
    expect((await b.own.call('StopVmInstance', { uuid: vm, type: 'cold' })).status).toBe(200)
  })
})

describe('an agent that is newer than its controller', () => {
  let b: Bench
  const seen = new Set<string>()
  beforeAll(async () => {
    b = await bench({ otherParts: nextAgent(seen) })
  })
  afterAll(() => b?.site.stop())

  test('reads the older documents, and takes what they leave out as they meant it', async () => {
    const vm = uuidOf(await b.create('uefi is a name here'))
    expect([b.kept(vm)?.['schema'], [...seen]]).toEqual([thisSchema, ['bios']])
    expect((await b.own.call('StopVmInstance', { uuid: vm, type: 'cold' })).status).toBe(200)
  })

  test('also those of its own ledger, without a controller', async () => {
    const vm = uuidOf(await b.create('kept'))
    b.site.bus.disconnect()
    await b.site.machine.end('kvm')
    seen.clear()
    const life = b.life(vm)
    await b.site.machine.begin('kvm')
    await vi.waitUntil(() => seen.size > 0, soon)
    expect([[...seen], b.life(vm)]).toEqual([['bios'], life])
  })
})
