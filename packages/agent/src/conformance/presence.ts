/** Whether the agent says who it is, and that it is there. */
import { createHash } from 'node:crypto'
import { agentServiceName, discoverServices } from '@skerry/bus'
import { digestReply, digestText, StatusDigest, statusesReply } from '@skerry/contract'
import { Breach, type Check, type Trial } from './trial.ts'

const SERVICES_MS = 500
const sha256 = (text: string) => createHash('sha256').update(text)

const newestBeat = (trial: Trial) => trial.until('a heartbeat', trial.beatMs, () => trial.heartbeats.at(-1))

export const presence: Check[] = [
  {
    name: 'is found as the NATS service agent-<kind>, under its uuid',
    async run({ p: { bus, agent } }) {
      const name = agentServiceName(agent.kind)
      const found = (await discoverServices(bus, { verb: 'INFO', name, timeoutMs: SERVICES_MS })) as {
        id?: unknown
        name?: unknown
      }[]
      if (!found.some((one) => one.id === agent.uuid && one.name === name))
        throw new Breach(`$SRV.INFO.${name} was not answered with the id ${agent.uuid}`)
    },
  },
  {
    name: 'beats every 5 s, in its own name, with all that belongs into a heartbeat',
    async run(trial) {
      const beat = await newestBeat(trial)
      const { kind, uuid } = trial.p.agent
      if (beat.agentUuid !== uuid || beat.kind !== kind)
        throw new Breach(`under the subject of ${kind} ${uuid} beats ${beat.kind} ${beat.agentUuid}`)
      if (beat.schemas === undefined) throw new Breach('the heartbeat does not say which schemas the agent reads')
    },
  },
  {
    name: 'says in its heartbeat the digests of what it holds and of what it told',
    async run(trial) {
      await trial.until('a heartbeat with the digests of now', trial.beatMs, async () => {
        const { digest } = await trial.own('digest', null, digestReply)
        const { statuses } = await trial.own('statuses', null, statusesReply)
        const told = new StatusDigest((text) => sha256(text).digest())
        for (const status of statuses) told.put(status)
        const beat = trial.heartbeats.at(-1)
        return beat?.digest === digest && beat.statusDigest === told.text() ? beat : undefined
      })
    },
  },
  {
    name: 'answers digest with the SHA-256 over its documents',
    async run(trial) {
      const { digest, entries } = await trial.own('digest', null, digestReply)
      const right = sha256(digestText(entries)).digest('hex')
      if (digest !== right) throw new Breach(`the digest is ${digest}; over its own entries it would be ${right}`)
    },
  },
]

/** Last: of all that was said meanwhile. */
export const afterAll: Check = {
  name: 'has said nothing that fits no schema',
  async run({ misfits }) {
    if (misfits.length > 0) throw new Breach(misfits.slice(0, 3).join('\n'))
  },
}
