import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { memoryBroker, realTimers, rightsOf } from '@skerry/bus'
import { hashOfSecret } from '@skerry/console/token'
import { subjects } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Consoles } from '../src/commands/vm.console.ts'
import { vmFolder } from '../src/vms/memory.ts'
import { id } from './documents.ts'

const agentUuid = id('e')
const vm = id('1')
const [s1, s2] = [id('5'), id('6')]
const until = (check: () => void) => vi.waitFor(check, { timeout: 3_000, interval: 5 })

let stateDir: string
let servers: Server[] = []
/** The domain's end: qemu takes one client. */
let qemu: Socket[] = []
let consoles: Consoles
let controller: ReturnType<ReturnType<typeof memoryBroker>['connect']>
const heard: Record<string, { text: string; end: string | undefined }> = {}

async function listen(path: string) {
  await mkdir(dirname(path), { recursive: true })
  const server = createServer((socket) => qemu.push(socket))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  servers.push(server)
}

function make(idleMs?: number) {
  const broker = memoryBroker()
  controller = broker.connect(rightsOf({ kind: 'controller' }))
  const bus = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid: agentUuid } }))
  for (const session of [s1, s2]) {
    const of = (heard[session] = { text: '', end: undefined as string | undefined })
    controller.subscribe(subjects.io('kvm', agentUuid, session, 'out'), ({ data }) => {
      const { d, end, reason } = data as { d?: string; end?: true; reason?: string }
      if (d !== undefined) of.text += Buffer.from(d, 'base64').toString('latin1')
      if (end) of.end = reason
    })
  }
  consoles = new Consoles({ bus: () => bus, timers: realTimers, agentUuid, stateDir, idleMs })
}

beforeEach(async () => {
  stateDir = await mkdtemp('/tmp/skerry-con-')
  qemu = []
  servers = []
  await listen(vmFolder(stateDir, vm).serial)
  make()
})
afterEach(async () => {
  await consoles.close()
  for (const socket of qemu) socket.destroy()
  for (const server of servers) server.close()
  await rm(stateDir, { recursive: true, force: true })
})

/** What the controller sends, or a proxy. */
function command(verb: 'allow-console' | 'console', input: object, uuid = vm) {
  const found = consoles.commands().find((c) => c.verb === verb)!
  return found.run({
    ...{ id: 'x', uuid, input, signal: new AbortController().signal },
    ...{ progress: () => undefined, log: null as never },
  })
}
const SECRET = 's'.repeat(32)
const allow = (secret = SECRET, ttlMs = 60_000) => command('allow-console', { tokenHash: hashOfSecret(secret), ttlMs })
const show = (token: string, session = s1, uuid = vm) => command('console', { session, kind: 'serial', token }, uuid)
async function open(session = s1, kind: 'serial' | 'vnc' = 'serial') {
  await allow()
  return command('console', { session, kind, token: SECRET })
}
const send = (data: unknown, session = s1) => controller.publish(subjects.io('kvm', agentUuid, session, 'in'), data)
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')

describe('a console session', () => {
  test('carries bytes both ways, any of them', async () => {
    expect(await open()).toEqual({ kind: 'serial' })
    await until(() => expect(qemu).toHaveLength(1))
    const all = Buffer.from(Array.from({ length: 256 }, (_, n) => n)).toString('latin1')
    const got: Buffer[] = []
    qemu[0]?.on('data', (bytes) => got.push(bytes))
    send({ d: base64(all) })
    qemu[0]?.write(Buffer.from(all, 'latin1'))
    await until(() => expect(Buffer.concat(got).toString('latin1')).toBe(all))
    await until(() => expect(heard[s1]?.text).toBe(all))
  })

  test('carries a flood whole and in order', async () => {
    await open()
    await until(() => expect(qemu).toHaveLength(1))
    const flood = Buffer.alloc(3_000_000, 'the guest prints and prints. ')
    qemu[0]?.write(flood)
    await until(() => expect(heard[s1]?.text.length).toBe(flood.length))
    expect(heard[s1]?.text).toBe(flood.toString('latin1'))
  })

  test('ends when the other side says so, and may be opened again', async () => {
    await open()
    send({ end: true })
    await until(() => expect(heard[s1]?.end).toBe('closed'))
    await open(s2)
    await until(() => expect(qemu).toHaveLength(2))
    qemu[1]?.write('again')
    await until(() => expect(heard[s2]?.text).toBe('again'))
  })

  test('tells the other side when the VM ends', async () => {
    await open()
    await until(() => expect(qemu).toHaveLength(1))
    qemu[0]?.destroy()
    await until(() => expect(heard[s1]?.end).toBe('the VM has ended'))
  })

  test('is taken over by a new one; a repeat of the same one changes nothing', async () => {
    await open()
    await open()
    await open(s2)
    await until(() => expect(heard[s1]?.end).toBe('another session took this console over'))
    await until(() => expect(qemu).toHaveLength(2))
    qemu[1]?.write('mine')
    await until(() => expect(heard[s2]?.text).toBe('mine'))
    expect(heard[s1]?.text).toBe('')
  })

  test('ends after it was idle', async () => {
    make(100)
    await open()
    await until(() => expect(heard[s1]?.end).toMatch(/long time/))
  })

  test('ends when it is sent what no console sends', async () => {
    await open()
    send({ d: 'not base64!' })
    await until(() => expect(heard[s1]?.end).toBe('a message was not understood'))
  })

  test('works after a restart of the agent', async () => {
    await open()
    await until(() => expect(qemu).toHaveLength(1))
    await consoles.close()
    await until(() => expect(heard[s1]?.end).toBe('the agent is ending'))
    make()
    await open(s2)
    await until(() => expect(qemu).toHaveLength(2))
    qemu[1]?.write('hello')
    await until(() => expect(heard[s2]?.text).toBe('hello'))
  })

  test('reaches the screen by its own socket, beside the serial port', async () => {
    await listen(join(vmFolder(stateDir, vm).vnc))
    await open()
    await open(s2, 'vnc')
    await until(() => expect(qemu).toHaveLength(2))
    qemu[1]?.write('RFB 003.008\n')
    await until(() => expect(heard[s2]?.text).toBe('RFB 003.008\n'))
    expect(heard[s1]?.end).toBeUndefined()
  })

  test('of a VM that is off is refused', async () => {
    await rm(vmFolder(stateDir, vm).serial)
    await expect(open()).rejects.toMatchObject({ code: 'vm-illegal-state' })
    await expect(open(s2)).rejects.toMatchObject({ code: 'vm-illegal-state' })
  })
})

describe('a console token', () => {
  const refused = { code: 'session-invalid' }

  test('is good once, whoever shows it; a repeat of what it opened is no second use', async () => {
    await allow()
    expect(await show(SECRET)).toEqual({ kind: 'serial' })
    expect(await show(SECRET)).toEqual({ kind: 'serial' })
    await expect(show(SECRET, s2)).rejects.toMatchObject(refused)
    await until(() => expect(qemu).toHaveLength(1))
    expect(heard[s1]?.end, 'and whoever tried took nothing over').toBeUndefined()
  })

  test('is refused when nobody announced it, when it is of another VM, and when its time is over', async () => {
    await expect(show(SECRET)).rejects.toMatchObject(refused)
    await allow()
    await expect(show('t'.repeat(32))).rejects.toMatchObject(refused)
    await expect(show(SECRET, s1, id('2'))).rejects.toMatchObject(refused)
    await allow('u'.repeat(32), 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    await expect(show('u'.repeat(32))).rejects.toMatchObject(refused)
    expect(qemu).toHaveLength(0)
    expect(await show(SECRET), 'none of these used it up').toEqual({ kind: 'serial' })
  })

  test('is forgotten at a restart of the agent', async () => {
    await allow()
    await consoles.close()
    make()
    await expect(show(SECRET)).rejects.toMatchObject(refused)
  })
})
