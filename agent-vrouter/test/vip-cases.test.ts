/** Folders of cases for VIPs: what is wanted, what was made, what differs from a router on which all of that is well, what is done. */
import { readdirSync, readFileSync } from 'node:fs'
import { legName, routerLeg, routerPort } from '@skerry/contract'
import { describe, expect, test } from 'vitest'
import { networkOf } from '../src/routers/cidr.ts'
import type { End } from '../src/routers/have.ts'
import type { RouterView, VipHave } from '../src/vips/have.ts'
import { plan } from '../src/vips/plan.ts'
import { elementsOf, legMark, type Spec } from '../src/vips/rules.ts'
import { vipSpec } from './world.ts'

const ROUTER = 'a'.repeat(32)
const L3 = '0'.repeat(31).concat('1')
const generation = { incarnation: 1, seq: 1 }
interface Given {
  want: { uuid: string; n: number; spec: Partial<Spec> }[]
  made: { uuid: string; n: number; spec: Partial<Spec> }[]
  buried?: string[]
  /** Fields of the router that are not as what was made wants them. */
  except?: Partial<RouterView>
  bridges?: string[]
  changes: unknown[]
}
const specOf = ({ n, spec }: Given['want'][number]) =>
  vipSpec({ routerUuid: ROUTER, l3NetworkUuid: L3, bridge: 'skbrpub' }, n, spec)

/** The router as it is when all of these are made. */
function viewOf(made: { uuid: string; spec: Spec }[]): RouterView {
  const end = (addresses: string[], master: string | null): End => ({
    up: true,
    mtu: 1500,
    alias: `skerry:${ROUTER}`,
    master,
    addresses,
  })
  const table = String(legMark(L3))
  const dev = legName(L3)
  const [first] = made
  const base = {
    uuid: ROUTER,
    netns: true,
    unseen: null,
    table: 'ok' as const,
    joined: [routerPort(ROUTER)],
    elements: elementsOf(made),
  }
  if (!first) return { ...base, ports: {}, inner: {}, rules: [], routes: {} }
  return {
    ...base,
    ports: { [routerLeg(ROUTER, L3)]: end([], 'skbrpub') },
    inner: {
      [dev]: end(
        made.map(({ spec }) => `${spec.ip}/32`),
        null,
      ),
    },
    rules: [
      { priority: 1_000, table: 'main', suppressPrefix: 0 },
      { priority: 1_001, mark: legMark(L3), table },
    ],
    routes: {
      [table]: [
        { dst: networkOf(`${first.spec.ip}/24`), dev, table },
        { dst: 'default', via: first.spec.gateway, dev, table },
      ],
    },
  }
}

const folder = new URL('../src/vips/cases/', import.meta.url)
describe('vips', () => {
  test.each(readdirSync(folder).map((file) => file.replace('.json', '')))('%s', (name) => {
    const given = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Given
    const want = given.want.map((one) => ({ uuid: one.uuid, generation, facts: {}, spec: specOf(one) }))
    const made = given.made.map((one) => ({ uuid: one.uuid, spec: specOf(one) }))
    const view = { ...viewOf(made), ...given.except }
    const uuids = [...new Set([...want, ...made].map((one) => one.uuid))].sort()
    const have = uuids.map((uuid): VipHave => {
      const own = made.filter((one) => one.uuid === uuid).map(({ spec }) => ({ routerUuid: ROUTER, spec }))
      return { uuid, made: own, routers: [view], bridges: given.bridges ?? ['skbrlan', 'skbrpub'] }
    })
    const buried = new Map((given.buried ?? []).map((uuid) => [uuid, { uuid, generation, spec: undefined, facts: {} }]))
    const routers = [{ uuid: ROUTER, generation, facts: {}, spec: { bridge: 'skbrlan' } }]
    expect(plan(want, have, { buried, wantedOf: () => routers })).toEqual(given.changes)
  })
})
