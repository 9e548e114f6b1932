/** A graph of hosts, VMs, NICs and networks, and questions to it. */
import type { Row } from '@skerry/contract'
import { Graph } from '@skerry/graph'
import { type ParsedParams, parseQuery, parseZql, type QueryTargets, runQuery, runZql } from '../src/index.ts'

export const targets: QueryTargets = {
  vm: {
    table: 'vm',
    fields: {
      uuid: 'string',
      name: 'string',
      state: 'string',
      cpuNum: 'number',
      ha: 'boolean',
      createDate: 'time',
      tags: 'list',
      hostUuid: 'string',
      description: 'string',
    },
    relations: {
      host: { target: 'host', via: { field: 'hostUuid' }, many: false },
      vmNics: { target: 'nic', via: { reverse: 'vmInstanceUuid' }, many: true },
      systemTags: { target: 'systemTag', via: { reverse: 'resourceUuid' }, many: true },
      userTags: { target: 'userTag', via: { reverse: 'resourceUuid' }, many: true },
    },
    aliases: { __systemTag__: 'systemTags.tag', __userTag__: 'userTags.tag' },
  },
  host: {
    table: 'host',
    fields: { uuid: 'string', name: 'string' },
    relations: { vms: { target: 'vm', via: { reverse: 'hostUuid' }, many: true } },
  },
  nic: {
    table: 'nic',
    fields: { uuid: 'string', ip: 'string' },
    relations: { l3Network: { target: 'l3', via: { field: 'l3NetworkUuid' }, many: false } },
  },
  l3: { table: 'l3', fields: { uuid: 'string', name: 'string' }, relations: {} },
  systemTag: { table: 'tag', where: { field: 'type', is: 'System' }, fields: { uuid: 'string', tag: 'string' }, relations: {} },
  userTag: { table: 'tag', where: { field: 'type', is: 'User' }, fields: { uuid: 'string', tag: 'string' }, relations: {} },
}

export function site(extra: [string, Row[]][] = []) {
  const graph = new Graph({
    vm: { indexes: ['name', 'state', 'hostUuid'] },
    host: { indexes: ['name'] },
    nic: { indexes: ['vmInstanceUuid', 'l3NetworkUuid'] },
    l3: { indexes: ['name'] },
    tag: { indexes: ['resourceUuid', 'tag'] },
  })
  const tables: [string, Row[]][] = [
    [
      'host',
      [
        { uuid: 'h1', name: 'host-1' },
        { uuid: 'h2', name: 'host-2' },
      ],
    ],
    [
      'l3',
      [
        { uuid: 'l1', name: 'blue' },
        { uuid: 'l2', name: 'red' },
      ],
    ],
    [
      'vm',
      [
        { uuid: 'a', name: 'web', state: 'Running', cpuNum: 1, ha: true, createDate: 3000, tags: ['x', 'y'], hostUuid: 'h1' },
        {
          uuid: 'b',
          name: 'Web_2',
          state: 'Running',
          cpuNum: 2,
          ha: false,
          createDate: 2000,
          tags: [],
          hostUuid: 'h2',
          description: ' spaced ',
        },
        { uuid: 'c', name: 'db', state: 'Stopped', cpuNum: 10, createDate: 1000, tags: ['y'], hostUuid: null },
      ],
    ],
    [
      'nic',
      [
        { uuid: 'n1', vmInstanceUuid: 'a', l3NetworkUuid: 'l1', ip: '10.0.0.2' },
        { uuid: 'n2', vmInstanceUuid: 'b', l3NetworkUuid: 'l2', ip: '10.0.0.3' },
        { uuid: 'n3', vmInstanceUuid: 'a', l3NetworkUuid: 'l2', ip: '10.0.0.4' },
      ],
    ],
    [
      'tag',
      [
        { uuid: 't1', resourceUuid: 'c', tag: 'name::db', type: 'System' },
        { uuid: 't2', resourceUuid: 'a', tag: 'name::db', type: 'User' },
        { uuid: 't3', resourceUuid: 'a', tag: 'gold', type: 'User' },
        { uuid: 't4', resourceUuid: 'b', tag: 'tin', type: 'User' },
      ],
    ],
    ...extra,
  ]
  graph.apply(
    { ops: tables.flatMap(([t, rows]) => rows.map((v) => ({ o: 'put' as const, t, k: v.uuid as string, v: { ...v } }))) },
    1,
  )
  return graph
}

export const ask = (params: Partial<ParsedParams>, table = 'vm', graph = site()) =>
  runQuery(graph, parseQuery({ q: [], ...params }, targets[table]!, targets), {})
export const found = (...q: string[]) => ask({ q }).keys.sort().join('')

export const entities = new Map(Object.keys(targets).map((name) => [name.toLowerCase(), name]))
export const names = { targets, entities }
export const zql = (text: string, graph = site()) => runZql(graph, parseZql(text, names))
export const zqlKeys = (text: string) => (zql(text)[0]?.rows?.keys ?? []).join('')
export const zqlFailure = (text: string) => thrown(() => zql(text))
export const failure = (params: Partial<ParsedParams>) => thrown(() => ask(params))

function thrown(run: () => unknown) {
  try {
    run()
  } catch (error) {
    return error as { code: string; message: string; details: Record<string, unknown> }
  }
  throw new Error('no error')
}
