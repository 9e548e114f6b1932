/** From the global options and the stored contexts to a client. */
import { SkerryError } from '@skerry/contract/errors'
import type { Client } from '@skerry/sdk'
import type { Context } from './contexts.ts'
import type { Io } from './io.ts'

export interface Globals {
  context?: string
}

/** The chosen context: `--context`, `SKERRY_CONTEXT`, or the one last logged in to. Environment variables win over the file. */
export async function contextOf(io: Io, globals: Globals): Promise<{ name: string; context: Context }> {
  const { DEFAULT_URL, readContexts } = await import('./contexts.ts')
  const { current, contexts } = await readContexts(io.configFolder)
  const asked = globals.context ?? io.env['SKERRY_CONTEXT']
  const name = asked ?? current
  const stored = contexts[name]
  const url = io.env['SKERRY_URL'] ?? stored?.url
  if (stored === undefined && asked !== undefined && url === undefined) {
    throw new SkerryError(
      'invalid-argument',
      `there is no context ${asked}; known: ${Object.keys(contexts).join(', ') || 'none'}`,
      { field: 'context' },
    )
  }
  const session = io.env['SKERRY_SESSION'] ?? stored?.session
  return { name, context: { ...stored, url: url ?? DEFAULT_URL, ...(session ? { session } : {}) } }
}

/** A client for a context. Reads the CA file if one is named. */
export async function clientFor(io: Io, context: Context, signal?: AbortSignal): Promise<Client> {
  const [{ clientOver }, { directoryOf }, { catalog }] = await Promise.all([
    import('@skerry/sdk/core'),
    import('@skerry/sdk/directory'),
    import('./contract-catalog.ts'),
  ])
  const ca = context.ca ? await io.readFile(context.ca) : undefined
  const directory = directoryOf(catalog.apis.map(({ api, resource }) => ({ api, resource: catalog.resources[resource]! })))
  return clientOver(directory, {
    baseUrl: context.url,
    ...(context.session ? { session: context.session } : {}),
    ...(ca ? { ca } : {}),
    ...(io.fetch ? { fetch: io.fetch } : {}),
    ...(signal ? { signal } : {}),
  }) as Client
}

/** `signal` ends all its requests. */
export async function clientOf(io: Io, globals: Globals, signal?: AbortSignal): Promise<Client> {
  return clientFor(io, (await contextOf(io, globals)).context, signal)
}
