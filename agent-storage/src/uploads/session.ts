/** Bytes of an image as they come over the bus, appended to its partial file in their order. What has come is kept, however it ends. */
import { Channel, type ChannelPorts } from '@skerry/console/channel'
import { SkerryError } from '@skerry/contract'
import type { FileSink } from '@skerry/host'

export interface SessionPorts extends ChannelPorts {
  sink: FileSink
  /** at each piece */
  heard(): void
}

export class UploadSession {
  readonly id: string
  /** Resolves when all that came is on the disk, or could not be written. */
  readonly ended: Promise<void>
  /** why something that came is not on the disk */
  failure: SkerryError | undefined
  readonly #channel: Channel
  /** one write after another */
  #writing: Promise<void> = Promise.resolve()

  constructor(id: string, { sink, heard, ...ports }: SessionPorts) {
    this.id = id
    let end = () => {}
    const over = new Promise<void>((resolve) => (end = resolve))
    this.#channel = new Channel(ports, {
      onBytes: (bytes, taken) => {
        heard()
        this.#write(() => sink.write(bytes).then(taken))
      },
      onRoom: () => undefined, // this end sends nothing
      onEnd: () => end(),
    })
    this.ended = over.then(async () => {
      await this.#writing
      await sink.close().catch((error) => this.#failed(error))
    })
  }

  ready(): Promise<void> {
    return this.#channel.ready()
  }

  close(reason: string): Promise<void> {
    this.#channel.close(reason)
    return this.ended
  }

  #write(act: () => Promise<void>): void {
    this.#writing = this.#writing.then(() => (this.failure ? undefined : act())).catch((error) => this.#failed(error))
  }

  #failed(error: unknown): void {
    this.failure ??=
      error instanceof SkerryError
        ? error
        : new SkerryError('host-command-failed', 'the uploaded bytes could not be written', {}, { cause: error })
    this.#channel.close(this.failure.message)
  }
}
