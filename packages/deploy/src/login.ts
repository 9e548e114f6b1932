/** A session at the site's own controller, for the time of one run. */
import { SkerryError } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { type Client, createClient, UnreachableError } from '@skerry/sdk'
import type { Layout } from './layout.ts'

export interface LoggedIn {
  client: Client
  /** Ends the session. */
  end(): Promise<void>
}

/** Tries the password of the first start, then those given. Throws `login-failed`, or `UnreachableError` when nobody answers. */
export async function logIn(ports: { files: Files; layout: Layout; url: string }, given: readonly string[]): Promise<LoggedIn> {
  const { files, layout, url } = ports
  const ca = url.startsWith('https') ? await files.read(layout.caCert) : undefined
  const client = createClient({ baseUrl: url, ...(ca ? { ca } : {}) })
  const first = await files.read(layout.adminPassword)
  let refused: unknown
  for (const password of new Set([...(first ? [first] : []), ...given])) {
    try {
      const { uuid } = await client.login('admin', password)
      return { client, end: () => client.logout(uuid) }
    } catch (error) {
      if (error instanceof UnreachableError) throw error
      refused = error
    }
  }
  const remedy = "run again with the account's password in SKERRY_ADMIN_PASSWORD"
  throw new SkerryError('login-failed', 'cannot log in as admin', { remedy }, { cause: refused })
}
