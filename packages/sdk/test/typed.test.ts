/** Types of calls: what must not compile is marked so, and the type check of the whole project fails where it does. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { baseFields, resources, time } from '@skerry/contract'
import { fakeHttp, SESSION } from '@skerry/controller/testing'
import type { ApiName, Client, Inventory, Params } from '@skerry/sdk'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Untyped } from '../src/typed.ts'

const checked = async (client: Client) => {
  const made = await client.call('CreateZone', { name: 'z' }, { wait: true })
  const state: 'Enabled' | 'Disabled' = made.inventory.state
  const at: string = made.inventory.createDate
  const { job } = await client.call('CreateZone', { name: 'z' })
  const planned = await client.call('DeleteZone', { uuid: 'z' }, { dryRun: true })
  const steps: string[] = planned.plan.steps
  const { version } = await client.call('GetVersion')
  const vm = await client.get('vmInstance', 'web')
  const ips: (string | null)[] = vm.vmNics.map((nic) => nic.ip)
  const params: Params<'AddIpRange'> = { name: 'r', l3NetworkUuid: 'l', startIp: 'a', endIp: 'b', netmask: 'c', gateway: 'd' }
  await client.call('AddIpRange', params)
  const computed = await client.call('Create' + 'Zone', { anything: 1 })
  const unknown: unknown = computed['inventory']
  return { state, at, job, steps, version, ips, unknown }
}

const refused = async (client: Client) => {
  // @ts-expect-error there is no such API
  await client.call('CreateZoo', { name: 'z' })
  // @ts-expect-error a name is needed
  await client.call('CreateZone', {})
  // @ts-expect-error parameters are needed
  await client.call('CreateZone')
  // @ts-expect-error what the path names is needed too
  await client.call('DeleteZone', {})
  // @ts-expect-error a size is a number
  await client.call('CreateDiskOffering', { name: 'd', diskSize: '1G' })
  // @ts-expect-error one of the contract's choices
  await client.call('StopVmInstance', { uuid: 'v', type: 'gently' })
  // @ts-expect-error without waiting there is no inventory yet
  ;(await client.call('CreateZone', { name: 'z' })).inventory
  // @ts-expect-error hidden fields never leave the controller
  ;(await client.get('host', 'h')).password
  // @ts-expect-error a field of something else
  ;(await client.query('zone')).inventories[0]?.cpuNum
}

describe('types', () => {
  it('are known of every API', () => {
    const untyped: [Untyped] extends [never] ? 0 : 1 = 0
    expect(untyped).toBe(0)
  })
  it('are checked without a call: this file compiles, and what must not compile does not', () => {
    const names: ApiName[] = ['CreateZone', 'CreateVmInstance', 'QueryJob', 'RetryJob', 'RevokeAgent', 'LogInByAccount']
    const zone: Pick<Inventory<'zone'>, 'isDefault'> = { isDefault: true }
    expect([checked, refused, names.length, zone]).toHaveLength(4)
  })
  it('take as times what is named so, and nothing else is: /v1 shows times as text', () => {
    const named = /Date$|At$|^(startTime|stopTime|next|deadline|since|heartBeat)$/
    const wrong = Object.values(resources).flatMap((resource) =>
      Object.entries({ ...baseFields, ...resource.fields } as Record<string, z.ZodType>).flatMap(([field, schema]) => {
        let inner = schema
        while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) inner = inner.def.innerType as z.ZodType
        const hidden = (resource as { hidden?: readonly string[] }).hidden?.includes(field)
        return !hidden && inner instanceof z.ZodNumber && (inner === time) !== named.test(field)
          ? [`${resource.name}.${field}`]
          : []
      }),
    )
    expect(wrong).toEqual([])
  })
})

describe('the example', () => {
  const text = readFileSync(new URL('example.ts', import.meta.url), 'utf8')
  it('is the one of the README, and short', () => {
    const [, block] = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL('../README.md', import.meta.url), 'utf8')) ?? []
    expect(block).toBe(text)
    expect(text.trimEnd().split('\n').length).toBeLessThan(30)
  })
  it('runs, over a socket', async () => {
    const { app, engine } = fakeHttp()
    // The fake engine keeps nothing of what it makes.
    const zoneUuid = engine.add('zone', { name: 'north' })['uuid']
    engine.add('cluster', { name: 'c1', hypervisorType: 'KVM', zoneUuid })
    const server = createServer(async (request, response) => {
      const pieces: Uint8Array[] = []
      for await (const piece of request) pieces.push(piece as Uint8Array)
      const body = pieces.length > 0 ? { body: Buffer.concat(pieces) } : {}
      // The fake engine knows one session, whoever logs in.
      const headers = new Headers(request.headers as Record<string, string>)
      if (headers.has('authorization')) headers.set('authorization', `Bearer ${SESSION}`)
      const answer = await app.fetch(new Request(`http://h${request.url}`, { method: request.method ?? 'GET', headers, ...body }))
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()))
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const said: string[] = []
    const { log } = console
    try {
      process.env['SKERRY_URL'] = `http://127.0.0.1:${(server.address() as { port: number }).port}`
      console.log = (line: string) => void said.push(line)
      await import('./example.ts')
    } finally {
      console.log = log
      delete process.env['SKERRY_URL']
      server.closeAllConnections()
      server.close()
    }
    expect(said[0]).toMatch(/^made zone north, Enabled, at \d{4}-\d\d-\d\dT/)
    expect(said.slice(1)).toEqual([expect.stringMatching(/^done /), 'cluster c1 KVM', 'not-found: there is no vm named "nobody"'])
  })
})
