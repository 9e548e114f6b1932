/** Valid values for the contract's schemas, so that tests can walk every API and every resource without naming one. */
import * as contract from '@skerry/contract'
import { baseFields, type Resource, type Row } from '@skerry/contract'
import type { z } from 'zod'
import { elementOf, mapValueOf, shapeOf, unwrap } from '../inventory/index.ts'

const scalars = new Map<unknown, unknown>([
  [contract.uuid, 'a'.repeat(32)],
  [contract.name, 'sample'],
  [contract.text, 'a sample'],
  [contract.time, Date.UTC(2017, 10, 14, 22, 20, 57)],
  [contract.ipv4, '10.0.0.7'],
  [contract.cidr4, '10.0.0.0/24'],
  [contract.ipv6, 'fd00::7'],
  [contract.cidr6, 'fd00::/64'],
  [contract.ip, '10.0.0.7'],
  [contract.cidr, '10.0.0.0/24'],
  [contract.mac, 'fa:00:00:00:00:01'],
  [contract.ifname, 'eth0'],
  [contract.path, '/var/lib/sample'],
  [contract.hostname, 'host-1'],
  [contract.sha256, 'b'.repeat(64)],
  [contract.loginPassword, 'e'.repeat(128)],
  [contract.secretRef, { $secret: 'c'.repeat(32) }],
])

/** Fields whose pattern is the resource's own. */
const byField: Record<string, unknown> = {
  url: 'http://images.example/disk.qcow2',
  checksum: `md5:${'0'.repeat(32)}`,
  AccessKeyID: 'sample-key',
  machineId: 'd'.repeat(32),
  token: 't'.repeat(32),
  deleteMode: 'Permissive',
  hostKey: `SHA256:${'A'.repeat(43)}`,
  resourceType: 'ZoneVO',
  srcIpRange: '10.0.0.0/24',
  dstIpRange: '10.0.0.0/24',
  allowedCidr: '10.0.0.0/24',
  dstPortRange: '80',
  entries: '10.0.0.0/24',
  healthCheckURI: '/health',
  healthCheckHttpCode: 'http_2xx',
  healthCheckTarget: 'tcp:default',
}

/** A value that the schema accepts. */
export function sample(schema: z.ZodType, field = ''): unknown {
  const inner = unwrap(schema)
  if (scalars.has(inner)) return scalars.get(inner)
  if (field in byField && inner.safeParse(byField[field]).success) return byField[field]
  const { def } = inner
  if (def.type === 'enum') return Object.values((def as unknown as { entries: Record<string, string> }).entries)[0]
  if (def.type === 'literal') return (def as unknown as { values: unknown[] }).values[0]
  if (def.type === 'array') return [sample(elementOf(inner), field)]
  if (def.type === 'record') return { ['a'.repeat(32)]: sample(mapValueOf(inner)) }
  if (def.type === 'object')
    return Object.fromEntries(Object.entries(shapeOf(inner)).map(([name, one]) => [name, sample(one, name)]))
  if (def.type === 'union') return sample((def as unknown as { options: z.ZodType[] }).options[0]!, field)
  if (def.type === 'boolean') return true
  if (def.type === 'string') return 'text'
  return [1, 10, 4, 60, 1024, 1024 ** 3].find((n) => inner.safeParse(n).success) ?? 1
}

/** A row of the resource with every declared field. `overrides` win. */
export function sampleRow(resource: Resource, overrides: Row = {}): Row {
  const declared: Record<string, z.ZodType> = { ...baseFields, ...resource.fields }
  return {
    ...Object.fromEntries(Object.entries(declared).map(([field, schema]) => [field, sample(schema, field)])),
    ...overrides,
  }
}

/** Parameters that the API accepts: the required ones, or all. */
export function sampleParams(api: contract.Api, o: { all?: boolean } = {}): Row {
  const entries = Object.entries(api.params.shape as Record<string, z.ZodType>)
  return Object.fromEntries(
    entries
      .filter(([, schema]) => o.all || !schema.safeParse(undefined).success)
      .map(([name, schema]) => [name, sample(schema, name)]),
  )
}
