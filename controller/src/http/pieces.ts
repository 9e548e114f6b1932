/**
 * Answers with long lists as JSON, written in pieces: other work runs between two of them, a slow reader slows the writing down, and one
 * that leaves ends it. Whole answers never stand in memory.
 */
import type { Row } from '@skerry/contract'
import { LongList, LongRecord, longListsIn } from '../inventory/index.ts'
import type { Door, Visit } from './context.ts'
import { JSON_TYPE, json } from './reply.ts'

/** A piece is written when it has so many characters, or took so long. */
const PIECE_CHARS = 64 * 1024
const PIECE_MS = 5
/** How often it is looked whether the reader still takes anything. */
const LOOK_MS = 15_000
/** So many looks without a piece taken end the answer, and so many at all: what it shows is kept from the moment of the question. */
const IDLE_LOOKS = 2
const MOST_LOOKS = 40
/** Levels of objects and lists that are taken apart. What is below is small: fields of a row. */
const DEPTH = 5

/** Characters of `value` as JSON, a little at a time. What can't be written is left out, as JSON.stringify does. */
export function* textsOf(value: unknown, depth = 0): Generator<string, void> {
  if (value instanceof LongList) {
    yield '['
    let first = true
    for (const element of value) {
      yield `${first ? '' : ','}${value.write(element)}`
      first = false
    }
    yield ']'
  } else if (depth === DEPTH || typeof value !== 'object' || value === null) yield JSON.stringify(value)
  else if (Array.isArray(value)) {
    yield '['
    for (const [i, element] of value.entries()) {
      if (i > 0) yield ','
      yield* textsOf(element ?? null, depth + 1)
    }
    yield ']'
  } else {
    yield '{'
    let between = ''
    for (const [name, field] of value instanceof LongRecord ? value.entries() : Object.entries(value)) {
      if (field === undefined) continue
      yield `${between}${JSON.stringify(name)}:`
      yield* textsOf(field, depth + 1)
      between = ','
    }
    yield '}'
  }
}

/** The next piece of a text, undefined at its end. */
export function pieceOf(texts: Iterator<string, void>, now: () => number): string | undefined {
  const began = now()
  let piece = ''
  for (;;) {
    const { done, value } = texts.next()
    if (done) return piece === '' ? undefined : piece
    piece += value
    if (piece.length >= PIECE_CHARS || now() - began >= PIECE_MS) return piece
  }
}

/** 200 with the body, in pieces where it holds a long list. */
export function written(door: Door, visit: Visit, body: Row): Response {
  const long = longListsIn(body)
  if (long.length === 0) return json(200, body)
  const close = () => {
    for (const list of long) list.close()
  }
  return new Response(streamOf(door, visit, { texts: textsOf(body), close }), { headers: { 'content-type': JSON_TYPE } })
}

interface Writing {
  texts: Generator<string, void>
  close: () => void
}

function streamOf(door: Door, visit: Visit, { texts, close }: Writing): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let over = false
  const end = () => {
    if (over) return
    over = true
    stopLooking?.()
    texts.return()
    close()
  }
  let [looks, idle] = [0, 0]
  const look = (breakOff: () => void) => {
    if (++looks < MOST_LOOKS && ++idle < IDLE_LOOKS) return
    door.log.warn({ ...visit.facts }, 'a long answer was broken off: its reader takes too long')
    breakOff()
  }
  let stopLooking: (() => void) | undefined
  visit.request.signal.addEventListener('abort', end, { once: true })
  return new ReadableStream<Uint8Array>({
    start(controller) {
      stopLooking = door.timers?.every(LOOK_MS, () => look(() => failing(controller, new Error('the reader takes too long'))))
    },
    async pull(controller) {
      idle = 0
      await door.pause()
      if (over) return
      try {
        const piece = pieceOf(texts, () => performance.now())
        if (piece !== undefined) return controller.enqueue(encoder.encode(piece))
        end()
        controller.close()
      } catch (error) {
        door.log.error({ ...visit.facts, error: String(error) }, 'a long answer could not be written to its end')
        failing(controller, error)
      }
    },
    cancel: end,
  })

  /** Without an end, so that nobody takes it for whole. */
  function failing(controller: ReadableStreamDefaultController, error: unknown): void {
    end()
    if (visit.outgoing) visit.outgoing.destroy()
    else controller.error(error)
  }
}
