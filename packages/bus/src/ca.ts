/** The site's own certificate authority: EC P-256, PEM in and out. It vouches for NATS and HTTP, and for nothing outside the site. */
import 'reflect-metadata' // @peculiar/x509 needs it loaded first
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { hostname, SkerryError } from '@skerry/contract'

export interface KeyedCertificate {
  certPem: string
  /** PKCS #8. Secret. */
  keyPem: string
}

const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGN = { name: 'ECDSA', hash: 'SHA-256' } as const
/**
 * Always valid: a site is left alone for years, and its machines may think that it is 1970 (no clock battery) or any other year.
 * An end that is written down now is an outage then. 99991231235959Z is X.509's own "no end" (RFC 5280 §4.1.2.5).
 */
const VALIDITY = { notBefore: new Date(0), notAfter: new Date('9999-12-31T23:59:59Z') } as const

/** A new authority, valid at any time. */
export async function createCa({ commonName = 'Skerry site CA' } = {}): Promise<KeyedCertificate> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify'])
  const cert = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [commonName] }],
      keys,
      signingAlgorithm: SIGN,
      ...VALIDITY,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { certPem: cert.toString('pem'), keyPem: await exportKey(keys.privateKey) }
}

export interface ServerNames {
  /** DNS names; the first is the common name. */
  names: readonly string[]
  ips: readonly string[]
}

/** A server certificate for these names and addresses, valid as long as its CA, or until `notAfter`. */
export async function issueServerCert(
  ca: KeyedCertificate,
  { names, ips }: ServerNames,
  notAfter?: Date,
): Promise<KeyedCertificate> {
  const wrong = [...names.filter((n) => !hostname.safeParse(n).success), ...ips.filter((ip) => isIP(ip) === 0)]
  if (wrong.length > 0 || names.length + ips.length === 0) {
    throw new SkerryError('invalid-argument', 'a certificate needs host names and IP addresses', { wrong })
  }
  const issuer = new x509.X509Certificate(ca.certPem)
  const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify'])
  const cert = await x509.X509CertificateGenerator.create(
    {
      subject: [{ CN: [(names[0] ?? ips[0]) as string] }],
      issuer: issuer.subject,
      publicKey: keys.publicKey,
      signingKey: await importKey(ca.keyPem),
      signingAlgorithm: SIGN,
      notBefore: issuer.notBefore,
      notAfter: notAfter ?? issuer.notAfter,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...names.map((value) => ({ type: 'dns' as const, value })),
          ...ips.map((value) => ({ type: 'ip' as const, value })),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  )
  return { certPem: cert.toString('pem'), keyPem: await exportKey(keys.privateKey) }
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), KEY, false, ['sign'])
}
