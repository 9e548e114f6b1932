/** Certificates: the text is read when the call is accepted; the key goes to the secret store, and only a reference to it into the graph. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Row, SkerryError } from '@skerry/contract'
import { creation } from './resource.create.ts'
import type { Action } from './world.ts'

const BLOCK = /-----BEGIN ([A-Z ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g
const bad = (field: string, message: string, cause?: unknown) =>
  new SkerryError('invalid-argument', `invalid field[${field}]: ${message}`, { field }, cause === undefined ? {} : { cause })

/** Blocks of a PEM text by what they are. Nothing of the text is told: it may hold a key. */
function blocksOf(text: string): { certificates: string[]; keys: string[] } {
  const blocks = [...text.matchAll(BLOCK)].map(([block, kind]) => ({ block, kind: kind! }))
  return {
    certificates: blocks.filter(({ kind }) => kind === 'CERTIFICATE').map(({ block }) => block),
    keys: blocks.filter(({ kind }) => kind.endsWith('PRIVATE KEY')).map(({ block }) => block),
  }
}

function readKey(pem: string, field: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw bad(field, 'the private key is encrypted: give it without a passphrase')
  try {
    return createPrivateKey(pem)
  } catch {
    // its own words could repeat the text
    throw bad(field, 'the private key cannot be read')
  }
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw bad('certificate', 'a certificate in it cannot be read')
  }
}

/** The certificate with its chain, and its key, apart. Throws where one is missing, or they do not belong together. */
export function splitCertificate(params: Row): Row {
  const { certificates, keys } = blocksOf(params['certificate'] as string)
  const given = params['privateKey'] as string | undefined
  if (certificates.length === 0) throw bad('certificate', 'there is no certificate in it: it must be PEM')
  const apart = given === undefined ? [] : blocksOf(given).keys
  if (given !== undefined && apart.length === 0) throw bad('privateKey', 'there is no private key in it: it must be PEM')
  const all = [...keys, ...apart]
  const field = given === undefined ? 'certificate' : 'privateKey'
  if (all.length === 0) throw bad(field, 'the private key of the certificate is missing: add it to the text, as PEM')
  if (all.length > 1) throw bad(field, 'there are several private keys: give the one of the certificate')
  const key = readKey(all[0]!, field)
  const [leaf] = certificates.map(readCertificate)
  if (!leaf!.checkPrivateKey(key)) throw bad(field, 'the private key is not that of the certificate, which must come first')
  const privateKey = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { ...params, certificate: `${certificates.join('\n')}\n`, privateKey }
}

const fingerprintOf = (pem: string) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()

const creating = creation({
  workflow: 'certificate.create',
  table: 'certificate',
  row: ({ input: { params } }) => ({
    certificate: params['certificate'],
    privateKey: params['privateKey'],
    fingerprint: fingerprintOf(params['certificate'] as string),
  }),
})

export const certificateActions: readonly Action[] = [{ ...creating, complete: splitCertificate }]
