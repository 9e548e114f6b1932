/** Whether the agent carries out verbs as the protocol wants it: once for an id, for nobody who was overtaken. */
import { commandReply, SkerryError } from '@skerry/contract'
import { Breach, type Check, Skipped, type Trial } from './trial.ts'

const REFUSED = ['invalid-argument', 'malformed-request', 'invalid-document'] as const

interface Asked {
  id: string
  epoch?: number
  mode?: 'apply' | 'plan'
  input?: unknown
  uuid?: string
}

function sampleOf(trial: Trial) {
  const { command } = trial.p.sample
  if (command === undefined) throw new Skipped('needs a sample command')
  return command
}

function send(trial: Trial, { id, epoch = 3, mode = 'apply', input, uuid = trial.about }: Asked): Promise<unknown> {
  const { noun, verb, input: given } = sampleOf(trial)
  return trial.ask(noun, uuid, { verb, data: { id, epoch, mode, deadlineMs: trial.p.timeoutMs, input: input ?? given } })
}

/** What came of it, an error as well, as text to compare. */
async function resultOf(trial: Trial, asked: Asked): Promise<string> {
  try {
    return JSON.stringify(trial.read('the reply to a command', commandReply, await send(trial, asked)).output)
  } catch (error) {
    if (error instanceof SkerryError && error.code !== 'agent-timeout') return `${error.code}: ${error.message}`
    throw error
  }
}

export const commands: Check[] = [
  {
    name: 'knows no verbs that nobody has defined',
    async run(trial) {
      const { uuid } = trial.p.agent
      await trial.refused('an unknown verb of the agent', ['not-found'], () =>
        trial.ask('agent', uuid, { verb: 'conformance-unknown', data: null }),
      )
      const command = { id: trial.p.newId(), epoch: 1, mode: 'apply', deadlineMs: 1_000, input: {} }
      const ask = () => trial.ask('conformanceUnknown', trial.about, { verb: 'do', data: command })
      await trial.refused('a verb of an unknown noun', ['not-found'], ask)
    },
  },
  {
    name: 'refuses commands that are none, whatever their form',
    async run(trial) {
      const { noun, verb } = sampleOf(trial)
      const id = trial.p.newId()
      const forms = ['text', 7, null, [], {}, { id }, { id: 'no id', epoch: 1, mode: 'apply', deadlineMs: 1, input: {} }]
      for (const data of [...forms, { id, epoch: 1, mode: 'apply', deadlineMs: 0, input: {} }])
        await trial.refused(`the command ${JSON.stringify(data)}`, REFUSED, () => trial.ask(noun, trial.about, { verb, data }))
      await trial.refused('an input of another form', REFUSED, () => send(trial, { id, input: 'text' }))
    },
  },
  {
    name: 'answers a repeated command with the first result',
    async run(trial) {
      const id = trial.p.newId()
      const first = await resultOf(trial, { id })
      const [second, third] = await Promise.all([resultOf(trial, { id }), resultOf(trial, { id })])
      if (!sampleOf(trial).reads && (second !== first || third !== first))
        throw new Breach(`the first result was ${first}, then ${second}, ${third}`)
    },
  },
  {
    name: 'refuses another command under an id that was used',
    async run(trial) {
      if (sampleOf(trial).reads) throw new Skipped('needs a sample command that does something')
      const id = trial.p.newId()
      await resultOf(trial, { id })
      await trial.refused('another command under the same id', ['duplicate-job'], () =>
        send(trial, { id, uuid: trial.p.newId() }),
      )
    },
  },
  {
    name: 'shows what a command would do, and answers it as its own',
    async run(trial) {
      const id = trial.p.newId()
      const reply = trial.read('the reply to a plan', commandReply, await send(trial, { id, mode: 'plan' }))
      if (reply.id !== id) throw new Breach(`it answered command ${id} as ${reply.id}`)
    },
  },
  {
    name: 'carries out nothing of an owner that was overtaken',
    async run(trial) {
      const uuid = trial.p.newId()
      await resultOf(trial, { id: trial.p.newId(), epoch: 9, uuid })
      await trial.refused('a command of an older epoch', ['stale-epoch'], () =>
        send(trial, { id: trial.p.newId(), epoch: 8, uuid }),
      )
    },
  },
]
