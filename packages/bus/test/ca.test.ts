import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { SkerryError } from '@skerry/contract'
import { describe, expect, it } from 'vitest'
import { createCa, issueServerCert } from '../src/index.ts'

const at = new Date('2030-02-03T04:05:06Z')

describe('the site CA', () => {
  it('is an authority on P-256 for ten years, and nothing else', async () => {
    const { certPem, keyPem } = await createCa({ at })
    const cert = new X509Certificate(certPem)
    expect(cert.ca).toBe(true)
    expect(cert.subject).toBe('CN=Skerry site CA')
    expect(new Date(cert.validTo)).toEqual(new Date('2040-02-03T04:05:06Z'))
    expect(new Date(cert.validFrom)).toEqual(new Date('2030-02-03T03:05:06Z'))
    expect(cert.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect(cert.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
  })

  it('issues certificates for names and addresses, for two years, that its key has signed', async () => {
    const ca = await createCa({ at })
    const { certPem, keyPem } = await issueServerCert(
      ca,
      { names: ['ctl.example', 'localhost'], ips: ['10.0.0.1', 'fd00::1'] },
      at,
    )
    const cert = new X509Certificate(certPem)
    expect(cert.ca).toBe(false)
    expect(cert.verify(new X509Certificate(ca.certPem).publicKey)).toBe(true)
    expect(cert.checkIssued(new X509Certificate(ca.certPem))).toBe(true)
    expect(cert.checkHost('localhost')).toBe('localhost')
    expect(cert.checkHost('other.example')).toBeUndefined()
    expect(cert.checkIP('10.0.0.1')).toBe('10.0.0.1')
    expect(cert.checkIP('fd00::1')).toBe('fd00::1')
    expect(cert.checkIP('10.0.0.2')).toBeUndefined()
    expect(new Date(cert.validTo)).toEqual(new Date('2032-02-03T04:05:06Z'))
    expect(cert.checkPrivateKey(createPrivateKey(keyPem))).toBe(true)
    expect(cert.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  it('never issues past its own end', async () => {
    const ca = await createCa({ at })
    const late = new Date('2039-06-01T00:00:00Z')
    const { certPem } = await issueServerCert(ca, { names: ['localhost'], ips: [] }, late)
    expect(new Date(new X509Certificate(certPem).validTo)).toEqual(new Date('2040-02-03T04:05:06Z'))
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
