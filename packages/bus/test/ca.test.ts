import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { createCa, issueServerCert } from '../src/index.ts'

/** A machine without a clock battery starts here; no date that a clock may show lies before or behind. */
const ALWAYS = { from: new Date(0), to: new Date('9999-12-31T23:59:59Z') }

describe('the site CA', () => {
  it('is an authority on P-256 at any time, and nothing else', async () => {
    const { certPem, keyPem } = await createCa()
    const cert = new X509Certificate(certPem)
    expect(cert.ca).toBe(true)
    expect(cert.subject).toBe('CN=Skerry site CA')
    expect(new Date(cert.validFrom)).toEqual(ALWAYS.from)
    expect(new Date(cert.validTo)).toEqual(ALWAYS.to)
    expect(cert.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect(cert.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
  })

  it('issues certificates for names and addresses, valid at any time, that its key has signed', async () => {
    const ca = await createCa()
    const { certPem, keyPem } = await issueServerCert(ca, { names: ['ctl.example', 'localhost'], ips: ['10.0.0.1', 'fd00::1'] })
    const cert = new X509Certificate(certPem)
    expect(cert.ca).toBe(false)
    expect(cert.verify(new X509Certificate(ca.certPem).publicKey)).toBe(true)
    expect(cert.checkIssued(new X509Certificate(ca.certPem))).toBe(true)
    expect(cert.checkHost('localhost')).toBe('localhost')
    expect(cert.checkHost('other.example')).toBeUndefined()
    expect(cert.checkIP('10.0.0.1')).toBe('10.0.0.1')
    expect(cert.checkIP('fd00::1')).toBe('fd00::1')
    expect(cert.checkIP('10.0.0.2')).toBeUndefined()
    expect(new Date(cert.validFrom)).toEqual(ALWAYS.from)
    expect(new Date(cert.validTo)).toEqual(ALWAYS.to)
    expect(cert.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
    expect(cert.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  it('gives every certificate another serial number', async () => {
    const ca = await createCa()
    const certs = await Promise.all([1, 2, 3].map(() => issueServerCert(ca, { names: ['localhost'], ips: [] })))
    expect(new Set(certs.map((c) => new X509Certificate(c.certPem).serialNumber)).size).toBe(3)
  })

  it.each([
    { names: ['a b'], ips: [] },
    { names: ['*.example'], ips: [] },
    { names: [], ips: ['10.0.0.256'] },
    { names: [], ips: [] },
  ])('refuses $names $ips', async (wanted) => {
    const ca = await createCa()
    await expect(issueServerCert(ca, wanted)).rejects.toThrow(SkerryError)
  })

  it('is what a TLS client checks: ours is trusted, another site’s of the same name is not', async () => {
    const [ours, theirs] = await Promise.all([createCa(), createCa()])
    const { certPem, keyPem } = await issueServerCert(ours, { names: ['localhost'], ips: ['127.0.0.1'] })
    const server = createServer({ cert: certPem, key: keyPem }, (socket) => void socket.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const dial = (ca: string) => connect({ host: '127.0.0.1', port, ca })
    const trusted = dial(ours.certPem)
    await once(trusted, 'secureConnect')
    expect(trusted.authorized).toBe(true)
    trusted.destroy()
    await expect(once(dial(theirs.certPem), 'secureConnect')).rejects.toThrow(/certificate/)
    server.close()
  })
})
