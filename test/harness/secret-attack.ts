/**
 * Puts canaries into every place of the API that takes a secret, in every way in which a call can go: well, badly, twice, as
 * a plan, without rights, with a webhook, with a job that fails and is undone. Keeps every answer for the search.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Api, PREFIX, type Row } from '@skerry/contract'
import type { Canaries, Haystack } from './canary.ts'
import { type Answer, apiNamed, newUuid, type Sent, send, sentFor } from './zstack-client.ts'

export type Dialect = keyof typeof PREFIX

export interface AttackOptions {
  url: string
  canaries: Canaries
  /** of an administrator */
  session: string
  /** of an account without rights, where there is one */
  viewer?: string
}

/** The sound part of a call that takes a secret: what else it needs, and how its effect is taken back. */
export interface Journey {
  api: string
  /** without the secret */
  params: Row
  /** name of the secret parameter */
  secret: string
}

export class Attack {
  readonly heard: Haystack[] = []
  readonly #o: AttackOptions
  readonly #hook: Server

  private constructor(o: AttackOptions, hook: Server) {
    this.#o = o
    this.#hook = hook
  }

  static async begin(o: AttackOptions): Promise<Attack> {
    const made: { attack?: Attack } = {}
    const hook = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        made.attack?.hear(`a webhook ${request.url} ${JSON.stringify(request.headers)}`, Buffer.concat(parts))
        response.end()
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    return (made.attack = new Attack(o, hook))
  }

  async end(): Promise<void> {
    await new Promise((resolve) => this.#hook.close(resolve))
  }

  get hookUrl(): string {
    return `http://127.0.0.1:${(this.#hook.address() as AddressInfo).port}/hook`
  }

  hear(where: string, bytes: Buffer | string): void {
    this.heard.push({ where, bytes: Buffer.from(`${where}\n${bytes}`) })
  }

  /** Any request; its answer is kept, but for what `delivers` names: the very secret that was asked for. */
  async send(
    dialect: Dialect,
    sent: Sent,
    headers: Record<string, string> = {},
    delivers?: (answer: Answer) => string | undefined,
  ) {
    const { url, session } = this.#o
    const authorization = `${dialect === 'own' ? 'Bearer' : 'OAuth'} ${session}`
    const answer = await send(url + PREFIX[dialect], sent, { Authorization: authorization, ...headers })
    const delivered = delivers?.(answer)
    const text = delivered === undefined ? answer.text : answer.text.replace(delivered, '(delivered)')
    const where = `the answer ${answer.status} to ${sent.method} of ${dialect}`
    this.hear(where, `${JSON.stringify([...answer.headers])}\n${text}`)
    return answer
  }

  /** Sends and follows to the end of the job. Gives the last answer. */
  async call(dialect: Dialect, api: Api, params: Row, headers: Record<string, string> = {}): Promise<Answer> {
    const sent = sentFor(api, params)
    if (dialect === 'own')
      return this.send('own', { ...sent, path: `${sent.path}${sent.path.includes('?') ? '&' : '?'}wait=30s` }, headers)
    const job = headers['X-Job-UUID'] ?? newUuid()
    const first = await this.send('zstack', sent, { 'X-Job-UUID': job, ...headers })
    return first.status === 202 ? this.poll(job) : first
  }

  async poll(job: string, delivers?: (answer: Answer) => string | undefined): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const answer = await this.send('zstack', { method: 'GET', path: `/api-jobs/${job}` }, {}, delivers)
      if (answer.status !== 202 || tries > 3_000) return answer
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** A call that does what it should, with a webhook, and then again under the same ids. */
  async well(dialect: Dialect, { api: name, params, secret }: Journey): Promise<Row> {
    const api = apiNamed(name)
    const given = { ...params, [secret]: this.#o.canaries.value(`${name} well`) }
    const headers = {
      'X-Job-UUID': newUuid(),
      'X-Web-Hook': this.hookUrl,
      ...(dialect === 'own' ? { 'Idempotency-Key': newUuid() } : {}),
    }
    const answer = await this.call(dialect, api, given, headers)
    if (answer.status >= 300) throw new Error(`${name} answered ${answer.status}: ${answer.text.slice(0, 1_000)}`)
    await this.call(dialect, api, given, headers)
    await this.call(dialect, api, { ...given, [secret]: this.#o.canaries.value(`${name} same id`) }, headers)
    const { 'X-Job-UUID': job, ...keyOnly } = headers
    await this.call(dialect, api, { ...given, [secret]: this.#o.canaries.value(`${name} same key`) }, keyOnly)
    await this.send('own', { method: 'GET', path: `/jobs/${job}` })
    return answer.body?.['inventory'] as Row
  }

  /** Calls that must change nothing. `doomed`: parameters with which the job fails after it has begun. */
  async badly(dialect: Dialect, journey: Journey, doomed: Row = {}): Promise<void> {
    const { canaries } = this.#o
    const api = apiNamed(journey.api)
    const secret = (label: string) => ({ ...journey.params, [journey.secret]: canaries.value(`${journey.api} ${label}`) })
    for (const [name, wrong] of Object.entries(wrongParameters(journey.params)))
      await this.call(dialect, api, { ...secret(`with a bad ${name}`), [name]: wrong })
    for (const value of malformed(canaries, journey.api))
      await this.call(dialect, api, { ...journey.params, [journey.secret]: value })
    await this.#underOtherNames(dialect, api, journey)
    for (const authorization of [
      canaries.plain(),
      `OAuth ${canaries.plain()}`,
      `Bearer ${canaries.plain()}`,
      `ZStack ${canaries.plain()}:x`,
    ])
      await this.call(dialect, api, secret('for nobody'), { Authorization: authorization })
    if (this.#o.viewer) await this.call(dialect, api, secret('without rights'), { Authorization: `OAuth ${this.#o.viewer}` })
    await this.call(dialect, api, secret('without time'), { 'X-API-Timeout': '0.001', 'X-Web-Hook': this.hookUrl })
    await this.call(dialect, api, secret('bad hook'), { 'X-Web-Hook': `http://u:${canaries.plain()}@127.0.0.1:1/` })
    if (Object.keys(doomed).length > 0)
      await this.call(dialect, api, { ...secret('doomed'), ...doomed }, { 'X-Web-Hook': this.hookUrl })
    if (dialect === 'own') await this.#planned(api, secret)
  }

  async #planned(api: Api, secret: (label: string) => Row): Promise<void> {
    const sent = sentFor(api, secret('planned'))
    const plan = await this.send('own', { ...sent, path: `${sent.path}?dryRun=true` })
    if (plan.status !== 200) throw new Error(`a plan of ${api.api} answered ${plan.status}: ${plan.text}`)
    await this.call('own', api, secret('of a stale plan'), { 'If-Plan': 'f'.repeat(64) })
  }

  /** Misspelt, on top of the body, in the query, in text that is no JSON. */
  async #underOtherNames(dialect: Dialect, api: Api, { params, secret }: Journey): Promise<void> {
    const { canaries } = this.#o
    await this.call(dialect, api, { ...params, [`${secret}x`]: canaries.value('misspelt') })
    await this.call(dialect, api, { ...params, [canaries.plain()]: 'as a name' })
    const sent = sentFor(api, params)
    const body = JSON.stringify({ [api.bodyKey ?? 'params']: { ...params, [secret]: canaries.value('in no JSON') } })
    for (const broken of [
      `"${canaries.short()}`,
      `[${canaries.short()}]`,
      body.slice(0, -1),
      body.slice(0, -6),
      `${body}${canaries.plain()}`,
      body.replace('":"', `":${canaries.plain()}"`),
    ])
      await this.send(dialect, { ...sent, body: broken })
    await this.send(dialect, {
      ...sent,
      body: JSON.stringify({ [secret]: canaries.value('on top'), [api.bodyKey ?? 'params']: params }),
    })
    await this.send(dialect, { ...sent, path: `${sent.path}?${secret}=${encodeURIComponent(canaries.value('in the query'))}` })
  }

  /** Tries to read secrets back through queries. `explain` repeats the question: only asked where the field is refused. */
  async ask(dialect: Dialect, path: string, field: string, explain = true): Promise<void> {
    const value = encodeURIComponent(this.#o.canaries.value('asked for'))
    for (const query of [
      `q=${field}=${value}`,
      `q=${field}~=%25`,
      `q=${field}.$secret!=x`,
      `fields=${field}`,
      `sort=%2B${field}`,
      'limit=1',
      `groupBy=${field}`,
    ])
      await this.send(dialect, { method: 'GET', path: `${path}?${query}` })
    if (explain) await this.send(dialect, { method: 'GET', path: `${path}?q=${field}=${value}&explain=true` })
  }
}

/** For each other parameter something that its schema refuses. */
function wrongParameters(params: Row): Row {
  return Object.fromEntries(Object.keys(params).map((name) => [name, /uuid/i.test(name) ? 'f'.repeat(32) : { no: 'object' }]))
}

function malformed(canaries: Canaries, api: string): unknown[] {
  const value = (label: string) => canaries.value(`${api} ${label}`)
  return [
    value('too long').repeat(2_000),
    { inside: value('in an object') },
    [value('in a list')],
    [[{ deep: value('deep') }]],
    42,
    '',
  ]
}
