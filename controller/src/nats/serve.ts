/**
 * The NATS door of the controller: `skerry.v1.api.>`. Messages become calls and outcomes become replies, as the HTTP door does it with
 * requests; everything between is the same code. One controller of a queue group answers.
 */
import { Answer, type Bus, busHeaders, MAX_PAYLOAD_BYTES, type Msg } from '@skerry/bus'
import { callHeaders, parseApiSubject, type Row, SkerryError, subjects, toErrorBody, uuid } from '@skerry/contract'
import { answer } from '../http/answer.ts'
import { etag } from '../http/conditional.ts'
import { conduct, jobOf, type Outcome } from '../http/conduct.ts'
import type { Door } from '../http/context.ts'
import { isoDate } from '../http/dates.ts'
import { endedBody, jobBody } from '../http/dialect-own.ts'
import { pieceOf, textsOf } from '../http/pieces.ts'
import { problemOf } from '../http/problem.ts'
import { bodyOf } from '../http/query.ts'
import { Refusal } from '../http/refusal.ts'
import { longListsIn } from '../inventory/index.ts'
import { callerFrom, headersOf, readCall, searchOf } from './read.ts'
import { SubjectTable } from './routes.ts'

/** Room for the headers of a reply. */
const HEADERS_BYTES = 4096

/** Answers calls until the returned function is called. */
export function serveCalls(bus: Bus, door: Door): () => Promise<void> {
  const table = new SubjectTable(door.ownRoutes.routes)
  const call = async (message: Msg): Promise<Answer> => {
    const began = door.clock.now()
    const facts: Row = { route: 'NATS unknown' }
    try {
      const reply = await replyTo(door, table, { message, facts })
      door.log.info({ ...facts, status: Number(reply.headers[callHeaders.status]), ms: door.clock.now() - began }, 'request')
      return reply
    } catch (thrown) {
      const error = thrown instanceof Refusal ? new SkerryError(thrown.code, thrown.message) : thrown
      const { code } = toErrorBody(error)
      door.log.info({ ...facts, code, ms: door.clock.now() - began }, 'request')
      throw error
    }
  }
  const serving = bus.serve(subjects.apiOfAll, call, { queue: 'api', failure: problemAnswer })
  return () => serving.stop()
}

/** Whatever was thrown, as the problem document that HTTP answers. */
function problemAnswer(thrown: unknown): Answer {
  const problem = problemOf(toErrorBody(thrown))
  return new Answer(problem, { [busHeaders.ERROR]: problem.code, [callHeaders.status]: String(problem.status) })
}

async function replyTo(door: Door, table: SubjectTable, { message, facts }: { message: Msg; facts: Row }): Promise<Answer> {
  const subject = parseApiSubject(message.subject)
  if (subject === undefined) throw new SkerryError('not-found', 'calls are at skerry.v1.api.<noun>.<resource uuid or ->.<verb>')
  // A job's own subject answers how far it has come, as its path over HTTP does, not its row.
  if (subject.noun === 'job' && subject.verb === 'get' && uuid.safeParse(subject.resource).success) {
    facts['route'] = 'NATS job.get'
    const caller = callerFrom(door, headersOf(message))
    const job = await jobOf(door, subject.resource!, { search: searchOf(message, {}), caller })
    return new Answer({ job: jobBody(job) }, statusHeader(200))
  }
  const asked = readCall(door, table, message, subject)
  const { route } = asked.received
  facts['route'] = `NATS ${route.resource.noun}.${route.api.verb}`
  return written(door, await conduct(door, asked), facts)
}

const statusHeader = (status: number) => ({ [callHeaders.status]: String(status) })

async function written(door: Door, outcome: Outcome, facts: Row): Promise<Answer> {
  if (outcome.kind === 'plan') return new Answer({ plan: outcome.plan }, statusHeader(200))
  if (outcome.kind === 'reply')
    return new Answer(await short(door, answer(outcome.call.api, outcome.reply, isoDate)), statusHeader(200))
  if (outcome.kind === 'found') {
    const { version } = outcome.found
    const tag: Record<string, string> = version === undefined ? {} : { ETag: etag(version) }
    return new Answer(fitting(await short(door, bodyOf(outcome.found, isoDate))), { ...statusHeader(200), ...tag })
  }
  const { uuid: job } = outcome.job
  facts['job'] = job
  const headers = { [callHeaders.job]: job }
  if (!outcome.ended)
    return new Answer({ job: jobBody(outcome.job), done: subjects.job(job, 'done') }, { ...headers, ...statusHeader(202) })
  const { status, body } = endedBody(outcome)
  const failed: Record<string, string> = status >= 400 ? { [busHeaders.ERROR]: String(body['code']) } : {}
  return new Answer(body, { ...headers, ...statusHeader(status), ...failed })
}

/** A list that fits into one message. Throws `body-too-large`. */
function fitting(body: Row): Row {
  const sizeBytes = Buffer.byteLength(JSON.stringify(body))
  if (sizeBytes + HEADERS_BYTES <= MAX_PAYLOAD_BYTES) return body
  throw tooLarge(`${sizeBytes} bytes`, { sizeBytes })
}

function tooLarge(size: string, details: Row): SkerryError {
  const message = `the answer has ${size}, more than a message holds: ask for fewer at once (limit, start) or for some fields`
  return new SkerryError('body-too-large', message, { ...details, limitBytes: MAX_PAYLOAD_BYTES - HEADERS_BYTES })
}

/** The body with its long lists drawn, which is given up when they no longer fit. Throws `body-too-large`. */
async function short(door: Door, body: Row): Promise<Row> {
  const long = longListsIn(body)
  if (long.length === 0) return body
  const texts = textsOf(body)
  let text = ''
  try {
    for (let piece = nextOf(texts); piece !== undefined; piece = nextOf(texts)) {
      text += piece
      if (text.length > MAX_PAYLOAD_BYTES) throw tooLarge(`more than ${text.length} bytes`, {})
      await door.pause()
    }
  } finally {
    for (const list of long) list.close()
  }
  return JSON.parse(text) as Row
}

const nextOf = (texts: Generator<string, void>) => pieceOf(texts, () => performance.now())
