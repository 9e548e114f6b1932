/** Which statuses were published: those that were told while the bus was away are told when it is back, the newest of each. */
import type { Status } from '@skerry/contract'

/** A reply may hold 1 MiB; the rest of a long list goes as single messages. */
const MAX_REPLY_BYTES = 900_000

export class StatusTeller {
  readonly #publish: (status: Status) => boolean
  readonly #unsaid = new Map<string, Status>()

  /** `publish` returns false when there is no bus. */
  constructor(publish: (status: Status) => boolean) {
    this.#publish = publish
  }

  tell(status: Status): void {
    if (!this.#publish(status)) this.#unsaid.set(`${status.noun}/${status.uuid}`, status)
  }

  flush(): void {
    const waiting = [...this.#unsaid.values()]
    this.#unsaid.clear()
    for (const status of waiting) this.tell(status)
  }

  /** As many as fit a reply; the others are published one by one. */
  answer(statuses: readonly Status[]): Status[] {
    let bytes = 0
    return statuses.filter((status) => {
      bytes += Buffer.byteLength(JSON.stringify(status)) + 1
      if (bytes <= MAX_REPLY_BYTES) return true
      this.#publish(status)
      return false
    })
  }
}
