import { memoryBroker, rightsOf } from '@skerry/bus'
import { SkerryError, subjects } from '@skerry/contract'
import { describe, expect, test, vi } from 'vitest'
import { consoleBridge, consoleTokenText, parseConsoleToken } from '../src/index.ts'

const [agentUuid, vmUuid, session] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)] as const
const token = consoleTokenText({ agentUuid, resourceUuid: vmUuid, epoch: 71, secret: '_-'.repeat(16) })
const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 })

/** A proxy's own rights, and an agent that opens what `answer` lets it. */
function world(answer: (command: Record<string, unknown>) => unknown) {
  const broker = memoryBroker()
  const agent = broker.connect(rightsOf({ kind: 'agent', agent: { kind: 'kvm', uuid: agentUuid } }))
  const proxy = broker.connect(rightsOf({ kind: 'console-proxy', id: 'UPROXY' }))
  agent.serve(subjects.do('kvm', agentUuid, 'vm', vmUuid, 'console'), async ({ data }) => answer(data as never))
  const typed: unknown[] = []
  agent.subscribe(subjects.io('kvm', agentUuid, session, 'in'), ({ data }) => void typed.push(data))
  const shown = (message: object) => agent.publish(subjects.io('kvm', agentUuid, session, 'out'), message)
  return { open: consoleBridge({ bus: proxy, newId: () => session }), typed, shown }
}

describe('a console token', () => {
  test('says where it is for, and what it is not is refused', () => {
    expect(parseConsoleToken(token)).toEqual({ agentUuid, resourceUuid: vmUuid, epoch: 71, secret: '_-'.repeat(16) })
    for (const wrong of ['', token.slice(1), `${token}x`, token.replace('a', 'g'), 'x'.repeat(100), `${token}\n`])
      expect(() => parseConsoleToken(wrong), wrong).toThrowError(expect.objectContaining({ code: 'session-invalid' }))
  })
})

describe('a console over the bus, with no more rights than a proxy has', () => {
  test('shows the token to the agent, and carries bytes both ways', async () => {
    const asked: unknown[] = []
    const { open, typed, shown } = world((command) => {
      asked.push(command)
      return { id: command['id'], output: { kind: 'vnc' } }
    })
    const stream = await open(token, 'vnc')
    expect(asked).toMatchObject([{ epoch: 71, mode: 'apply', input: { session, kind: 'vnc', token: '_-'.repeat(16) } }])
    shown({ d: Buffer.from('early ').toString('base64') })
    await new Promise((resolve) => setTimeout(resolve, 10))
    let seen = ''
    stream.onData((bytes) => (seen += Buffer.from(bytes)))
    shown({ d: Buffer.from('late').toString('base64') })
    await until(() => expect(seen).toBe('early late'))
    stream.write(Buffer.from('ls'))
    await until(() => expect(typed).toEqual([{ d: Buffer.from('ls').toString('base64') }]))
    let reason = ''
    stream.onClose((text) => (reason = text))
    shown({ end: true, reason: 'the VM has ended' })
    await until(() => expect(reason).toBe('the VM has ended'))
  })

  test('tells one who comes late that it has ended', async () => {
    const { open, shown } = world((command) => ({ id: command['id'], output: { kind: 'serial' } }))
    const stream = await open(token, 'serial')
    shown({ end: true })
    await new Promise((resolve) => setTimeout(resolve, 10))
    let reason = ''
    stream.onClose((text) => (reason = text))
    expect(reason).toBe('the console was closed')
  })

  test('throws what the agent says; of an epoch before, the token has expired', async () => {
    for (const [said, thrown] of [
      ['session-invalid', 'session-invalid'],
      ['stale-epoch', 'session-invalid'],
      ['vm-illegal-state', 'vm-illegal-state'],
    ] as const) {
      const { open } = world(() => {
        throw new SkerryError(said)
      })
      await expect(open(token, 'serial')).rejects.toMatchObject({ code: thrown })
    }
    const { open } = world(() => undefined)
    await expect(open('nonsense', 'serial')).rejects.toMatchObject({ code: 'session-invalid' })
    const other = consoleTokenText({ agentUuid: 'f'.repeat(32), resourceUuid: vmUuid, epoch: 1, secret: 'x'.repeat(32) })
    await expect(open(other, 'serial')).rejects.toMatchObject({ code: 'agent-unreachable' })
  })
})
