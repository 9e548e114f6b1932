/**
 * `/v1/uploads/<token>`: HEAD or GET tells how many bytes of an image are there (`Upload-Offset`), PATCH and PUT bring more. PATCH is as in the tus
 * protocol (https://tus.io, version 1.0.0, core), so that its clients can be used; PUT with `Content-Range`, or of a whole file, is for the rest.
 * The token is the credential.
 */
import type { Readable } from 'node:stream'
import { PREFIX, routes, SkerryError } from '@skerry/contract'
import { MAX_REQUEST_BYTES, type Piece, type Uploaded } from '../uploads/uploads.ts'
import type { Door, Visit } from './context.ts'
import { failed } from './dialect-own.ts'
import { Refusal } from './refusal.ts'
import { json } from './reply.ts'

const PATH = /^\/uploads\/([A-Za-z0-9_-]{1,256})\/?$/
const METHODS = ['HEAD', 'GET', 'PATCH', 'PUT']

export const isUploadPath = (path: string): boolean => PATH.test(path)

export async function serveUpload(door: Door, visit: Visit): Promise<Response> {
  const { request } = visit
  visit.facts.route = `${METHODS.includes(request.method) ? request.method : 'other'} ${routes.upload}`
  try {
    if (!METHODS.includes(request.method)) throw new Refusal(405, `${request.method} is not for uploads`, METHODS)
    if (!door.uploads) throw new SkerryError('not-ready', 'this controller takes no uploads')
    const token = PATH.exec(visit.path)?.[1] ?? ''
    if (request.method === 'HEAD' || request.method === 'GET') {
      const state = await door.uploads.look(token)
      return request.method === 'HEAD'
        ? new Response(null, { status: 200, headers: headersOf(state) })
        : json(200, state, headersOf(state))
    }
    const state = await door.uploads.append(token, pieceOf(visit))
    if (state.job !== undefined) visit.facts.job = state.job
    return new Response(null, { status: 204, headers: headersOf(state) })
  } catch (error) {
    return refused(door, visit, error)
  }
}

function headersOf({ offset, totalBytes, job }: Uploaded): Record<string, string> {
  return {
    'tus-resumable': '1.0.0',
    'cache-control': 'no-store',
    'upload-offset': String(offset),
    ...(totalBytes === undefined ? { 'upload-defer-length': '1' } : { 'upload-length': String(totalBytes) }),
    ...(job === undefined ? {} : { location: `${PREFIX.own}/jobs/${job}` }),
  }
}

/** With how many bytes are there, where that is what was wrong. */
function refused(door: Door, visit: Visit, error: unknown): Response {
  const response = failed(door, visit, error)
  const offset = error instanceof SkerryError ? error.details['offset'] : undefined
  if (typeof offset === 'number') response.headers.set('upload-offset', String(offset))
  response.headers.set('tus-resumable', '1.0.0')
  return response
}

const wrong = (field: string, why: string) => new SkerryError('invalid-argument', `${field}: ${why}`, { field })

function numberIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name)
  if (text === null) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw wrong(name, 'it must be a number of bytes')
  return number
}

/** Where the bytes of a request belong. Reads none of them. */
function pieceOf(visit: Visit): Piece {
  const { headers, method } = visit.request
  const length = numberIn(headers, 'Content-Length')
  if (length !== undefined && length > MAX_REQUEST_BYTES)
    throw new SkerryError('body-too-large', `one request may bring ${MAX_REQUEST_BYTES} bytes: send the file in several`, {
      limit: MAX_REQUEST_BYTES,
    })
  const place = method === 'PATCH' ? patched(headers) : put(headers, length)
  const { offset, totalBytes } = place
  if (totalBytes !== undefined && offset + (length ?? 0) > totalBytes)
    throw wrong('Upload-Length', 'the bytes of this request go beyond the end of the file')
  return { ...place, bytes: bodyOf(visit) }
}

function patched(headers: Headers): Omit<Piece, 'bytes'> {
  const offset = numberIn(headers, 'Upload-Offset')
  if (offset === undefined) throw wrong('Upload-Offset', 'it must say which bytes these are')
  return { offset, totalBytes: numberIn(headers, 'Upload-Length') }
}

/** `Content-Range: bytes 0-99/1000`, `bytes 100-199/*`, `bytes *\/1000`; without it the body is all of the file. */
function put(headers: Headers, length: number | undefined): Omit<Piece, 'bytes'> {
  const range = headers.get('Content-Range')
  if (range === null) {
    if (length === undefined)
      throw wrong('Content-Length', 'without it, and without Content-Range, nobody knows when the file is whole')
    return { offset: 0, totalBytes: length }
  }
  const [, from, to, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(range) ?? []
  if (from === undefined || Number(to) < Number(from) || (length !== undefined && length !== Number(to) - Number(from) + 1))
    throw wrong('Content-Range', 'it must be as bytes 0-99/1000, and fit the length of the body')
  return { offset: Number(from), totalBytes: total === '*' ? undefined : Number(total) }
}

/** What is left when nobody reads on stays unread: the server ends the connection after the answer. */
async function* bodyOf({ socket, request }: Visit): AsyncGenerator<Uint8Array> {
  const pieces = socket ? (socket as Iterated).iterator({ destroyOnReturn: false }) : request.body
  try {
    for await (const piece of pieces ?? []) yield piece
  } catch {
    throw new Refusal(400, 'the connection was closed inside the body')
  }
}

type Iterated = Readable & { iterator(o: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array> }
