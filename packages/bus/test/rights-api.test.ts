/** Who may call the API over NATS, and who may hear calls: every kind of user, on a real nats-server as a site configures it. */
import { randomUUID } from 'node:crypto'
import { agentKind, type SkerryError, subjects } from '@skerry/contract'
import { requireOrSkip, startNats, type TestNats } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GatheringBus, UserKind } from '../src/index.ts'
import { eventually } from './conformance/world.ts'

const newUuid = (): string => randomUUID().replaceAll('-', '')
const RES = newUuid()

const CALLS = [
  subjects.api('vm', undefined, 'create'),
  subjects.api('vm', RES, 'stop'),
  subjects.api('account', undefined, 'login'),
  subjects.api('job', RES, 'get'),
]
/** By which calls could be heard. */
const EARS = [...CALLS, subjects.apiOfAll, 'skerry.v1.api.vm.>', 'skerry.v1.api.*.*.login', 'skerry.v1.*.account.-.login']
/** That reach further than calls: the command line may watch these, and hears no call by them. */
const WIDE = ['skerry.>', 'skerry.v1.>', 'skerry.*.api.>']

interface User {
  name: string
  kind: UserKind
  agent?: { kind: string; uuid: string }
  calls: boolean
  watches: boolean
}

const USERS: User[] = [
  { name: 'the command line', kind: 'operator-cli', calls: true, watches: true },
  { name: 'a console proxy', kind: 'console-proxy', calls: false, watches: false },
  ...[...agentKind.options, 'third-party'].map((kind) => ({
    ...{ name: `an agent of kind ${kind}`, kind: 'agent' as const, agent: { kind, uuid: newUuid() } },
    ...{ calls: false, watches: false },
  })),
]

if (requireOrSkip('rights to the API on nats-server', { programs: ['nats-server'] })) {
  describe.each(USERS)('$name', ({ kind, agent, calls, watches }) => {
    let server: TestNats
    let controller: GatheringBus
    let user: GatheringBus
    const denied = new Set<string>()

    beforeAll(async () => {
      server = await startNats({ tls: true, auth: true })
      controller = await server.connect('controller')
      const onError = (e: SkerryError): void => void denied.add(`${e.details['operation']} ${e.details['subject']}`)
      user = await server.connect(kind, { onError, ...(agent ? { agent } : {}) })
    })
    afterAll(() => server.stop())

    it(calls ? 'calls, and is answered' : 'may not call', async () => {
      const serving = controller.serve(subjects.apiOfAll, async ({ subject }) => subject, { queue: 'api' })
      await controller.flush()
      const outcomes = await Promise.all(
        CALLS.map((subject) =>
          user.request(subject, null, { timeoutMs: 10_000 }).then(
            ({ data }) => data,
            ({ code }: SkerryError) => code,
          ),
        ),
      )
      expect(outcomes).toEqual(CALLS.map((subject) => (calls ? subject : 'permission-denied')))
      await serving.stop()
    })

    it.each([
      ['alone', {}],
      ['in the queue group of controllers', { queue: 'api' }],
    ])('hears no calls, its own neither, %s, and answers none', async (_how, queue) => {
      denied.clear()
      const heard: string[] = []
      for (const ear of [...EARS, ...WIDE]) user.subscribe(ear, ({ subject }) => void heard.push(subject), queue)
      for (const ear of EARS) user.serve(ear, async () => 'mine', queue)
      await user.flush()
      const refused = [...EARS.filter((ear) => !ear.includes('.*.account')), ...(watches ? [] : [...EARS, ...WIDE])]
      await eventually(() => refused.every((ear) => denied.has(`subscription ${ear}`)))
      const serving = controller.serve(subjects.apiOfAll, async () => 'the controller', { queue: 'api' })
      await controller.flush()
      for (const subject of CALLS)
        for (let n = 0; n < 5; n += 1)
          expect((await controller.request(subject, null, { timeoutMs: 10_000 })).data).toBe('the controller')
      await user.flush()
      expect(heard).toEqual([])
      await serving.stop()
    })
  })
}
