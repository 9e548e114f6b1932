/** Long answers: in pieces, of one moment, no faster than they are read, and not at all where nobody reads them. */
import type { Row } from '@skerry/contract'
import { resourceOf } from '@skerry/contract'
import { describe, expect, it, vi } from 'vitest'
import { listen } from '../src/http/index.ts'
import { LONG, schemaOf } from '../src/inventory/index.ts'
import { batchCalls, fakeHttp, SESSION, zqlCalls } from '../src/testing/index.ts'

/** More than are written in one piece, and several pieces. */
const MANY = LONG + 200

interface Looks {
  run: () => void
  stopped: boolean
}

/** A door over many VM instances with a NIC each; `paused` is called between two pieces of work. */
function site(paused: () => void = () => {}) {
  const looks: Looks[] = []
  const every = (_ms: number, run: () => void) => {
    const look = { run, stopped: false }
    looks.push(look)
    return () => void (look.stopped = true)
  }
  const http = fakeHttp({
    timers: { every },
    pause: async () => {
      paused()
      await new Promise(setImmediate)
    },
  })
  const { engine } = http
  const vms = Array.from({ length: MANY }, (_, i) =>
    engine.add('vmInstance', { name: `vm-${i}`, state: 'Running', createDate: i }),
  )
  const nics = vms.map((vm, i) => engine.add('vmNic', { vmInstanceUuid: vm['uuid'], deviceId: 0, createDate: i }))
  let seq = 1_000_000
  const change = (table: string, key: unknown, v?: Row) =>
    engine.graph.apply({ ops: [v ? { o: 'set', t: table, k: String(key), v } : { o: 'del', t: table, k: String(key) }] }, ++seq)
  const held = () => (engine.graph as unknown as { views: Set<unknown> }).views.size
  return { ...http, vms, nics, change, held, looks }
}

const ask = async (send: ReturnType<typeof site>['send'], path: string) => {
  const response = await send('GET', path)
  return { length: response.headers.get('content-length'), body: (await response.json()) as Row & { inventories: Row[] } }
}

describe.each(['/v1', '/zstack/v1'])('a long list below %s', (prefix) => {
  it('is what the same rows are in short lists, and its count', async () => {
    const { send, held } = site()
    const { body, length } = await ask(send, `${prefix}/vm-instances?limit=100000&replyWithCount=true`)
    const short: Row[] = []
    for (let start = 0; start < MANY; start += 500) {
      const part = await ask(send, `${prefix}/vm-instances?limit=500&start=${start}`)
      expect(part.length).not.toBeNull()
      short.push(...part.body.inventories)
    }
    expect([length, body['total'], body.inventories.length]).toEqual([null, MANY, MANY])
    expect(body.inventories).toEqual(short)
    const schema = prefix === '/v1' ? undefined : schemaOf({ inventories: short }, resourceOf('vmInstance')!)
    expect(body['schema']).toEqual(schema)
    expect(held()).toBe(0)
  })

  it('has only the fields asked for, and no list where only the count is asked for', async () => {
    const { send } = site()
    const { body } = await ask(send, `${prefix}/vm-instances?limit=100000&fields=uuid,name`)
    expect([body.inventories.length, Object.keys(body.inventories.at(-1)!)]).toEqual([MANY, ['uuid', 'name']])
    expect((await ask(send, `${prefix}/vm-instances?limit=100000&count=true`)).body).toMatchObject({ total: MANY })
  })

  it('is of one moment, whatever changes while it is written', async () => {
    let pieces = 0
    const s = site(() => {
      // After the first piece was made.
      if (s.held() === 0 || ++pieces !== 2) return
      const [gone, changed] = [s.vms.at(-2)!, s.vms.at(-1)!]
      s.change('vmInstance', gone['uuid'])
      s.change('vmInstance', changed['uuid'], { name: 'changed' })
      s.change('vmNic', s.nics.at(-1)!['uuid'], { vmInstanceUuid: s.vms[0]!['uuid'] })
      s.change('vmNic', s.nics.at(-3)!['uuid'])
      s.engine.add('vmNic', { vmInstanceUuid: s.vms.at(-4)!['uuid'], deviceId: 1 })
    })
    const { body } = await ask(s.send, `${prefix}/vm-instances?limit=100000`)
    expect(pieces).toBeGreaterThan(2)
    expect(body.inventories.map((vm) => vm['name'])).toEqual(s.vms.map((vm) => vm['name']))
    const nicsOf = (vm: Row) => (vm['vmNics'] as Row[]).map((nic) => nic['uuid'])
    expect(body.inventories.map(nicsOf)).toEqual(s.nics.map((nic) => [nic['uuid']]))
    expect(s.held()).toBe(0)
  })
})

describe('who reads a long list', () => {
  it('and leaves ends the work', async () => {
    const { send, held, looks } = site()
    const reader = (await send('GET', '/v1/vm-instances?limit=100000')).body!.getReader()
    await reader.read()
    expect(held()).toBe(1)
    await reader.cancel()
    expect([held(), looks.every((look) => look.stopped)]).toEqual([0, true])
  })

  it('slowly is waited for, and no more is made meanwhile', async () => {
    let pauses = 0
    const { send } = site(() => pauses++)
    const response = await send('GET', '/v1/vm-instances?limit=100000')
    const asked = pauses
    const reader = response.body!.getReader()
    await reader.read()
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    const made = pauses
    expect(made - asked).toBeLessThanOrEqual(2)
    while (!(await reader.read()).done);
    expect(pauses).toBeGreaterThan(made + 2)
  })

  it('no more at all is given up, without an end to the answer', async () => {
    const { send, held, looks, logged } = site()
    const response = await send('GET', '/v1/vm-instances?limit=100000')
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    looks[0]!.run()
    expect(held()).toBe(1)
    looks[0]!.run()
    expect([held(), looks[0]!.stopped]).toEqual([0, true])
    await expect(response.text()).rejects.toThrow('takes too long')
    expect(logged.map(({ message }) => message)).toContain('a long answer was broken off: its reader takes too long')
  })
})

it('over a socket, is compressed where the client takes that, and ends when the client goes', async () => {
  const { app, door, held } = site()
  const at = await listen({ app, addr: '127.0.0.1', port: 0, defaultPassword: true, log: door.log })
  try {
    const ask = (encoding: string, signal: AbortSignal | null = null) =>
      fetch(`${at.url}/v1/vm-instances?limit=100000`, {
        headers: { authorization: `Bearer ${SESSION}`, 'accept-encoding': encoding },
        signal,
      })
    const [plain, packed] = [await ask('identity'), await ask('gzip')]
    expect([plain, packed].map(({ headers }) => headers.get('content-encoding'))).toEqual([null, 'gzip'])
    expect(await packed.text()).toBe(await plain.text())
    const leave = new AbortController()
    const reader = (await ask('identity', leave.signal)).body!.getReader()
    await reader.read()
    leave.abort()
    await vi.waitFor(() => expect(held()).toBe(0))
  } finally {
    await at.close()
  }
})

/** The same door with ZQL and batches, now and in the past. */
function asking() {
  const s = site()
  const { engine, door } = s
  const slices = { graph: engine.graph, freeze: () => engine.graph.freeze(), monotonic: () => 0, pause: async () => {} }
  const calls: ReturnType<typeof batchCalls> = {
    ...zqlCalls(slices),
    ...batchCalls({ ...slices, call: (call) => calls['ZQLQuery']!(call) }),
  }
  engine.call = (call) => calls[call.api.api]!(call)
  const past = fakeHttp().engine.graph
  door.past = {
    newest: () => 9,
    oldest: () => 1,
    seqAt: async () => 5,
    graphAt: async () => past,
    diff: async () => ({ entries: [], complete: true }),
  }
  return { ...s, past }
}

const zql = (text: string) => `/zql?zql=${encodeURIComponent(text)}`

describe('ZQL', () => {
  it.each(['/v1', '/zstack/v1'])('writes long lists of any kind in pieces below %s', async (prefix) => {
    const { send, vms, held } = asking()
    const text = `query vminstance order by name desc return with (total, vmNics.deviceId); query distinct(vminstance.name);
      count vminstance group by name; sum vminstance.cpuNum by name; query vminstance limit 2`
    const { body, length } = await ask(send, prefix + zql(text))
    const [rows, names, counts, sums, two] = body['results'] as (Row & { inventories: Row[]; inventoryCounts: unknown[] })[]
    const sorted = vms.map((vm) => String(vm['name'])).sort()
    expect(length).toBeNull()
    expect(rows!.inventories.map((vm) => vm['name'])).toEqual(sorted.toReversed())
    expect(rows!.inventories[0]!['vmNics']).toHaveLength(1)
    expect([rows!['total'], Object.keys((rows!['returnWith'] as Row)['vmNics.deviceId'] as Row).length]).toEqual([MANY, MANY])
    const dates = await ask(send, `${prefix}/vm-instances?limit=1`)
    const first = rows!.inventories.find((vm) => vm['uuid'] === vms[0]!['uuid'])
    expect(first).toEqual(dates.body.inventories[0])
    expect(new Set(names!.inventories.map((one) => one['name']))).toEqual(new Set(sorted))
    expect([counts!.inventoryCounts.length, sums!.inventories.length, two!.inventories.length]).toEqual([MANY, MANY, 2])
    expect(held()).toBe(0)
  })

  it('writes many short lists in pieces too', async () => {
    const { send } = asking()
    const { body, length } = await ask(send, `/v1${zql('query vminstance limit 600; query vminstance.name limit 600')}`)
    expect(length).toBeNull()
    expect((body['results'] as Row[]).map(({ inventories }) => (inventories as Row[]).length)).toEqual([600, 600])
  })

  it('in a batch gives whole lists', async () => {
    const { send, held } = asking()
    const script = `def all = zql('query vminstance').inventories[0]; put('n', all.size()); put('last', all[-1].name)`
    const { body } = await ask(send, `/v1/batch-queries?script=${encodeURIComponent(script)}`)
    expect(body['result']).toEqual({ n: MANY, last: `vm-${MANY - 1}` })
    expect(held()).toBe(0)
  })

  it('with at= answers of then, to administrators', async () => {
    const { send, past } = asking()
    past.apply(
      { ops: [{ o: 'put', t: 'vmInstance', k: 'a', v: { uuid: 'a', name: 'old', state: 'Running', createDate: 1 } }] },
      5,
    )
    const text = zql('query vminstance.name where state = "Running" return with (total)')
    const then = await ask(send, `/v1${text}&at=5`)
    expect(then.body).toEqual({ results: [{ inventories: [{ name: 'old' }], total: 1 }] })
    expect((await ask(send, `/v1${text}`)).body['results']).toMatchObject([{ total: MANY }])
    expect((await send('GET', `/v1${text}&at=99`)).status).toBe(400)
    expect((await send('GET', `/v1${text}&at=5`, undefined, { authorization: `Bearer ${'6'.repeat(32)}` })).status).toBe(403)
    expect((await send('GET', `/zstack/v1${text}&at=5`)).status).toBe(400)
    expect((await send('GET', '/v1/batch-queries?script=1&at=5', undefined, { authorization: `Bearer ${SESSION}` })).status).toBe(
      400,
    )
  })
})
