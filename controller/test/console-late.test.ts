/** A console is asked for while its VM is being stopped: the job has told an agent of the token, so it ends, and tells whoever asked. */
import { expect, test } from 'vitest'
import { accessAnswers } from '../src/calls/consoles.ts'
import { Disclosures } from '../src/engine/disclosures.ts'
import { base, id, makeWorld, u } from './world.ts'
import { site } from './world-site.ts'

const l3NetworkUuid = id('l3')
const address = '10.0.0.5'

test.each([
  ['RequestConsoleAccess', { agentUuid: u.kvm }, { hostname: 'here', port: 1, scheme: 'ws' }],
  ['RequestTunnel', { agentUuid: u.vrouter, l3NetworkUuid, address }, { address, port: 22 }],
])('%s', async (api, result, told) => {
  const w = await makeWorld()
  await site(w)
  const { graph } = w.state
  const volatile = accessAnswers({
    ...{ graph, now: () => 1_000, consoleSecret: () => 'a'.repeat(32) },
    address: { hostname: 'here', port: 1, scheme: 'ws' },
  })
  const disclosures = new Disclosures({ graph, now: () => 1_000, volatile, disclosed: {} })
  const job = (key: string, more: object) => {
    const params = { vmInstanceUuid: id('gone'), port: 22 }
    const row = { ...base(key, key), api, state: 'done', finishedAt: 1_000, input: { params }, ...more }
    return w.commit({ ops: [{ o: 'put', t: 'job', k: key, v: row }] })
  }
  await job(id('j'), { result })
  await job(id('before'), { result: null })
  disclosures.make(id('j'))
  disclosures.make(id('before'))
  expect(disclosures.get(id('j'))).toMatchObject({ inventory: { ...told, token: expect.any(String) } })
  expect(disclosures.get(id('before'))).toBeUndefined()
})
