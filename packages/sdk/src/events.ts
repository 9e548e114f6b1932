/** Server-sent events as an async iterable. */

export interface ServerEvent {
  /** `<seq>.<n>`: hand it back as `lastEventId` to go on after it */
  id: string
  subject: string
  data: unknown
}

function parseFrame(frame: string): ServerEvent | undefined {
  const fields = new Map<string, string>()
  for (const line of frame.split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2))
  }
  const data = fields.get('data')
  return data === undefined
    ? undefined
    : { id: fields.get('id') ?? '', subject: fields.get('event') ?? '', data: JSON.parse(data) as unknown }
}

/** Ends when the server ends the stream. Comments (keep-alives) are skipped. */
export async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let pending = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      pending += decoder.decode(value, { stream: true })
      const frames = pending.split('\n\n')
      pending = frames.pop() ?? ''
      for (const frame of frames) {
        const event = parseFrame(frame)
        if (event) yield event
      }
    }
  } finally {
    await reader.cancel()
  }
}
