/** Canaries in the keys of certificates. A canary is no key, so nothing is made; the keys of the site are made anew in each run. */

import { selfSigned } from '@skerry/testkit'
import type { Dialect } from './secret-attack.ts'
import type { Ground } from './secret-journeys.ts'

/** Which parameters of which APIs are filled with canaries here. */
export const coveredOfCertificates: Readonly<Record<string, readonly string[]>> = { CreateCertificate: ['privateKey'] }

export async function certificateJourneys({ attack }: Ground, dialect: Dialect): Promise<void> {
  const params = { name: 'certificate', certificate: selfSigned().certificate }
  await attack.badly(dialect, { api: 'CreateCertificate', secret: 'privateKey', params })
  await attack.ask(dialect, '/certificates', 'privateKey')
}
