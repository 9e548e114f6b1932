/** `/v1` by hand: what the typed client never sends can be sent with this. */
import { PREFIX } from '@skerry/contract'
import { type Answer, apiNamed, type Sent, send, sentFor } from './zstack-client.ts'

export class OwnClient {
  readonly base: string
  session: string | undefined
  constructor(controllerUrl: string, session: string | undefined) {
    this.base = controllerUrl + PREFIX.own
    this.session = session
  }

  send(sent: Sent, headers: Record<string, string> = {}): Promise<Answer> {
    return send(this.base, sent, { ...(this.session ? { Authorization: `Bearer ${this.session}` } : {}), ...headers })
  }

  /** The final answer: asynchronous calls are waited for. */
  call(name: string, params: Record<string, unknown> = {}): Promise<Answer> {
    return this.sendWaiting(sentFor(apiNamed(name), params))
  }

  sendWaiting(sent: Sent): Promise<Answer> {
    return this.send({ ...sent, path: `${sent.path}${sent.path.includes('?') ? '&' : '?'}wait=20s` })
  }
}
