/** A client as ZStack's own Java SDK behaves on the wire: its headers on every request, its bodies, its polling. */
import { createHash, randomUUID } from 'node:crypto'
import { type Api, apis, PREFIX, type Row } from '@skerry/contract'

export interface Answer {
  status: number
  type: string
  headers: Headers
  text: string
  /** the text as JSON; undefined where it is none */
  body: Row | undefined
}

export interface Sent {
  method: string
  /** below the prefix, with its query */
  path: string
  body?: string
}

export const newUuid = () => randomUUID().replaceAll('-', '')
export const sha512 = (text: string) => createHash('sha512').update(text).digest('hex')

const found = new Map(apis.map(({ api }) => [api.api, api]))

export function apiNamed(name: string): Api {
  const api = found.get(name)
  if (!api) throw new Error(`there is no API ${name}`)
  return api
}

/** Half characters become U+FFFD, as in any URL. */
export const wellFormed = (text: string) => Buffer.from(text).toString()

/** Query string of a GET or DELETE: lists repeat their key, maps are `k.sub=`. */
function queryString(params: Row): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one))
    else if (typeof value === 'object' && value !== null)
      for (const [sub, inner] of Object.entries(value))
        for (const one of [inner].flat()) search.append(`${name}.${sub}`, String(one))
    else search.append(name, String(value))
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

/** How a client sends a call: path variables out of the parameters, the rest in body or query. A query by uuid has its own path. */
export function sentFor(api: Api, params: Row): Sent {
  const rest = { ...params }
  const template = api.query && typeof params['uuid'] === 'string' ? api.also![0]! : api.path
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = rest[name]
    delete rest[name]
    return encodeURIComponent(wellFormed(String(value)))
  })
  if (api.method === 'GET' || api.method === 'DELETE') return { method: api.method, path: path + queryString(rest) }
  return { method: api.method, path, body: JSON.stringify({ [api.bodyKey ?? 'params']: rest }) }
}

export async function send(url: string, { method, path, body }: Sent, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' }), ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  return {
    status: response.status,
    type,
    headers: response.headers,
    text,
    body: type.includes('json') ? (JSON.parse(text) as Row) : undefined,
  }
}

export class ZStackClient {
  readonly base: string
  session: string | undefined
  constructor(controllerUrl: string) {
    this.base = controllerUrl + PREFIX.zstack
  }

  /** Headers of the Java SDK. */
  headers(jobUuid: string): Record<string, string> {
    return {
      'X-Job-UUID': jobUuid,
      'X-JSON-Schema': 'true',
      ...(this.session === undefined ? {} : { Authorization: `OAuth ${this.session}` }),
    }
  }

  send(sent: Sent, headers: Record<string, string> = this.headers(newUuid())): Promise<Answer> {
    return send(this.base, sent, headers)
  }

  async login(password = 'password'): Promise<Row> {
    const answer = await this.send(sentFor(apiNamed('LogInByAccount'), { accountName: 'admin', password: sha512(password) }))
    const inventory = answer.body?.['inventory'] as Row | undefined
    if (answer.status !== 200 || !inventory) throw new Error(`login answered ${answer.status}: ${answer.text}`)
    this.session = inventory['uuid'] as string
    return inventory
  }

  /** Polls as the SDK does, only faster: with Authorization and X-JSON-Schema. Gives the first answer that is not 202. */
  async poll(jobUuid: string, o: { everyMs?: number; ms?: number } = {}): Promise<Answer> {
    const { Authorization, 'X-JSON-Schema': schema } = this.headers(jobUuid)
    const headers = { ...(Authorization ? { Authorization } : {}), 'X-JSON-Schema': schema! }
    const end = Date.now() + (o.ms ?? 20_000)
    for (;;) {
      const answer = await this.send({ method: 'GET', path: `/api-jobs/${jobUuid}` }, headers)
      if (answer.status !== 202) return answer
      if (answer.text !== '{}') throw new Error(`a poll answered 202 with ${answer.text}`)
      if (Date.now() > end) throw new Error(`job ${jobUuid} did not end`)
      await new Promise((resolve) => setTimeout(resolve, o.everyMs ?? 4))
    }
  }

  /** The first answer to a call, and the last one: the same on synchronous calls. */
  async exchange(name: string, params: Row = {}): Promise<{ jobUuid: string; first: Answer; last: Answer }> {
    const jobUuid = newUuid()
    const first = await this.send(sentFor(apiNamed(name), params), this.headers(jobUuid))
    return { jobUuid, first, last: first.status === 202 ? await this.poll(jobUuid) : first }
  }

  /** Body of the final answer. Throws what was answered instead. */
  async call(name: string, params: Row = {}): Promise<Row> {
    const { last } = await this.exchange(name, params)
    if (last.status !== 200 || !last.body) throw new Error(`${name} answered ${last.status}: ${last.text.slice(0, 1_000)}`)
    return last.body
  }

  /** uuid of what a call made or changed. */
  async uuid(name: string, params: Row): Promise<string> {
    const { inventory } = (await this.call(name, params)) as { inventory: Row }
    return inventory['uuid'] as string
  }
}
