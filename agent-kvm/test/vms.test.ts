import { kvmDesired } from '@skerry/contract'
import { domainXml, parseDomain } from '@skerry/libvirt'
import { describe, expect, test } from 'vitest'
import { baseHash, definitionHash, domainOf } from '../src/vms/definition.ts'
import { readVmMemory, vmFolder } from '../src/vms/memory.ts'
import type { SeenVm } from '../src/vms/observe.ts'
import { planVms, reportVm } from '../src/vms/plan.ts'
import { bootId, cases, contextOf, uuid } from './cases.ts'
import { vmSpec } from './documents.ts'

const config = { domainType: 'qemu' as const, stateDir: '/var/lib/skerry/agent-kvm' }

describe('a plan for a VM:', () => {
  for (const { name, want, have, changes, status } of cases('vms')) {
    test(name, () => {
      const {
        generation = { incarnation: 1, seq: 5 },
        buried,
        orphan,
        ...over
      } = want as typeof want & { generation?: { incarnation: number; seq: number } }
      const spec = kvmDesired.vm.spec.parse({ ...vmSpec('1'), placementEpoch: 3, ...over })
      const wanted = buried || orphan ? undefined : { uuid, generation, facts: {}, spec }
      const wholly = domainOf(uuid, spec, config)
      const hash = definitionHash(wholly)
      const fill = (value: string | null) => (value === 'wanted' ? hash : value)
      const domain = have['domain'] as SeenVm['domain']
      const seen: SeenVm = {
        uuid,
        foreign: null,
        missingDisks: [],
        bootId,
        atMs: 1_000_000,
        memory: {},
        ...have,
        domain: domain && {
          ...domain,
          persistent: domain.persistent ?? true,
          liveHash: fill(domain.liveHash),
          configHash: fill(domain.configHash),
          ...(domain.liveBase === 'wanted' ? { liveBase: baseHash(wholly) } : {}),
        },
      }
      const planned = planVms(config, wanted ? [wanted] : [], [seen], contextOf(buried === true))
      expect(planned.every((change) => change.uuid === uuid)).toBe(true)
      const brief = planned.map((change) =>
        change.op === 'define' || change.op === 'mark' ? { op: change.op, generation: change.generation } : change,
      )
      expect(brief.map((change) => ({ ...change, uuid: undefined }))).toEqual(changes)
      expect(planned).toEqual(JSON.parse(JSON.stringify(planned)))
      if (!status) return
      const { condition, observed, error } = reportVm(config, wanted, seen)
      expect({ condition, observed, code: error?.code }).toEqual({
        condition: status.condition,
        observed: status.observed,
        code: status.code,
      })
    })
  }
})

describe('the domain of a document', () => {
  const spec = vmSpec('1')
  test('has taps, disks and mark as the document says, boots its root volume first, and has its sockets in the agent folder', () => {
    const domain = domainOf(
      uuid,
      {
        ...spec,
        disks: [
          { ...spec.disks[0]!, boot: false, target: 'vda' },
          { ...spec.disks[0]!, boot: true, target: 'vdb', path: '/pool/b.raw', format: 'raw' },
        ],
      },
      config,
    )
    const parsed = parseDomain(domainXml(domain))
    expect(parsed.disks.map((d) => [d.target, d.bootOrder])).toEqual([
      ['vda', null],
      ['vdb', 1],
    ])
    expect(parsed).toMatchObject({
      name: `skerry-${uuid}`,
      title: spec.name,
      nics: [{ tap: spec.nics[0]!.tap, bridge: spec.nics[0]!.bridge, mac: spec.nics[0]!.mac }],
    })
    expect(parsed.serial).toEqual({
      type: 'unix',
      path: `/var/lib/skerry/agent-kvm/vms/${uuid}/serial`,
      logFile: `/var/lib/skerry/agent-kvm/vms/${uuid}/console.log`,
    })
    expect(parsed.vnc).toEqual({ socket: `/var/lib/skerry/agent-kvm/vms/${uuid}/vnc` })
  })

  test('is another one when what it is made of changes, and the same when power, placement or autonomy change', () => {
    const hash = (over: Partial<kvmDesired.VmSpec>, host = config) => definitionHash(domainOf(uuid, { ...spec, ...over }, host))
    const same = hash({})
    expect(hash({ placementEpoch: 9, autonomy: 'leased', power: { ...spec.power, state: 'Stopped' } })).toBe(same)
    for (const other of [
      hash({ cpuNum: 2 }),
      hash({ name: 'other' }),
      hash({ nics: [] }),
      definitionHash(domainOf(uuid, spec, { ...config, domainType: 'kvm' })),
    ])
      expect(other).not.toBe(same)
  })

  test('is the same for what only a start can change, whatever is in its drive, but not with another drive or none', () => {
    const of = (cdrom?: kvmDesired.VmSpec['cdrom']) => domainOf(uuid, { ...spec, ...(cdrom ? { cdrom } : {}) }, config)
    const [empty, loaded] = [of({ path: null, bus: 'scsi' }), of({ path: '/pool/cache/a.iso', bus: 'scsi' })]
    expect(baseHash(loaded)).toBe(baseHash(empty))
    expect(definitionHash(loaded)).not.toBe(definitionHash(empty))
    for (const other of [of(), of({ path: null, bus: 'sata' })]) expect(baseHash(other)).not.toBe(baseHash(empty))
  })

  test('carries hostile text of a name unchanged', () => {
    const name = 'x "1" <&> $(id) ; ]]>'
    expect(parseDomain(domainXml(domainOf(uuid, { ...spec, name }, config))).title).toBe(name)
  })

  test('is refused when the state folder is too long for a socket', () => {
    expect(() => vmFolder(`/${'x'.repeat(70)}`, uuid)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

test('facts that another version left and nobody can read count as not known', () => {
  expect(readVmMemory({ stopped: { cause: 'guest' }, acted: 'Running', asked: { atMs: 'x' }, other: 1 })).toEqual({
    stopped: { cause: 'guest' },
  })
})
