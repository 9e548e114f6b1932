/** Makes VMs on a simulated site, as many at once as are asked for; each call waits until its VM runs. */
import { PARTS, type Site } from './site.ts'
import { Connection } from './wire.ts'

export interface Made {
  seconds: number
  vms: { uuid: string; name: string }[]
}

const WAIT = '60s'
/** A job that takes longer, beyond its call's wait, has failed the benchmark. */
const LONGEST_S = 600

export interface Making {
  count: number
  inFlight: number
  /** one after the other; default: the demo's */
  l3s?: readonly string[]
  /** told at each tenth, where it is given: how fast it went, and what it cost, since the one before */
  say?(text: string): void
}

/** From the first call to the last VM that runs. Throws what the first call that failed was answered. */
export async function makeVms(
  site: Pick<Site, 'client' | 'port' | 'session' | 'cpuMs'>,
  { count, inFlight, l3s, say }: Making,
): Promise<Made> {
  const { client, port, session } = site
  const uuidOf = async (resource: string, name: string) => String((await client.get(resource, name))['uuid'])
  const params = {
    instanceOfferingUuid: await uuidOf('instanceOffering', 'small'),
    imageUuid: await uuidOf('image', 'tiny'),
  }
  const networks = l3s ?? [await uuidOf('l3Network', 'net1')]
  const head = `POST /v1/vm-instances?wait=${WAIT} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${session}\r\ncontent-type: application/json\r\n`
  const vms: Made['vms'] = []
  const before = Number((await client.query('vmInstance', { count: true }))['total'] ?? 0)
  let next = before
  const tenth = Math.ceil(count / 10)
  const lap = laps(site, vms, tenth)
  const worker = async () => {
    const connection = await Connection.open(port)
    try {
      while (next < before + count) {
        const n = next++
        const body = JSON.stringify({ params: { name: `vm${n}`, ...params, l3NetworkUuids: [networks[n % networks.length]] } })
        const { status, body: answer } = await connection.send(`${head}content-length: ${body.length}\r\n\r\n${body}`)
        vms.push(vmOf(status === 202 ? await waited(connection, session, answer, say) : { status, answer }))
        if (say && vms.length % tenth === 0) say(lap())
      }
    } finally {
      connection.close()
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { seconds: (performance.now() - began) / 1000, vms }
}

interface Answer {
  status: number
  answer: Buffer
}

function vmOf({ status, answer }: Answer): Made['vms'][number] {
  const text = answer.toString('utf8')
  if (status !== 201 && status !== 200) throw new Error(`a VM was answered ${status}: ${text.slice(0, 500)}`)
  const body = JSON.parse(text) as {
    inventory?: Made['vms'][number]
    job?: { error?: unknown; result?: { inventory: Made['vms'][number] } }
  }
  const made = body.inventory ?? body.job?.result?.inventory
  if (!made) throw new Error(`a VM was not made: ${text.slice(0, 500)}`)
  return { uuid: made.uuid, name: made.name }
}

/** The end of a job that is still under way after the wait of its call; it is told, so that nothing slow goes unseen. */
async function waited(connection: Connection, session: string, accepted: Buffer, say?: (text: string) => void): Promise<Answer> {
  const { job } = JSON.parse(accepted.toString('utf8')) as { job: { uuid: string; step: string } }
  const began = performance.now()
  for (;;) {
    const { status, body } = await connection.send(
      `GET /v1/jobs/${job.uuid}?wait=${WAIT} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${session}\r\n\r\n`,
    )
    const { state, step } = (JSON.parse(body.toString('utf8')) as { job: { state: string; step: string } }).job
    const more = (performance.now() - began) / 1000
    if (state === 'processing' && more < LONGEST_S) continue
    say?.(`job ${job.uuid}: in step ${job.step} after ${WAIT}, ${state} (${step}) ${more.toFixed(0)} s later`)
    return { status, answer: body }
  }
}

/** One line for each `step` VMs. */
function laps({ cpuMs }: Pick<Site, 'cpuMs'>, vms: Made['vms'], step: number): () => string {
  let last = { at: performance.now(), cpu: cpuMs() }
  return () => {
    const now = { at: performance.now(), cpu: cpuMs() }
    const rate = (step * 1000) / (now.at - last.at)
    const cost = PARTS.map((part) => `${part} ${(((now.cpu[part] - last.cpu[part]) * 1000) / step).toFixed(0)}`)
    last = now
    return `${vms.length} VMs, ${rate.toFixed(0)} a second, µs CPU a VM: ${cost.join(', ')}`
  }
}
