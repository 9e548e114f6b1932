/** The console page's files, as they lie beside a program's bundle. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface PageFile {
  status: 200 | 404
  body: Uint8Array | string
  headers: Record<string, string>
}

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
}
/** A plain name: no folder, no hidden file. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*\.(html|css|js)$/

/** Only what the page brings itself; xterm and noVNC set styles on their elements. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self' ws: wss:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** What answers a file name of the page; the empty name is the page itself. */
export async function pageFile(dir: string, name: string): Promise<PageFile> {
  const file = name === '' ? 'index.html' : name
  const type = TYPES[NAME.exec(file)?.[1] ?? '']
  const bytes = type ? await readFile(join(dir, file)).catch(absent) : undefined
  if (!type || !bytes) return { status: 404, body: 'no such file\n', headers: { 'content-type': 'text/plain' } }
  return {
    status: 200,
    body: bytes,
    headers: {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    },
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
