/**
 * [format] Where a site keeps its keys, below its state folder. Each is 0600. A backup holds all of them, so that another machine can
 * become the controller of the same site: agents go on trusting it, and it goes on reading its secrets.
 */
export const siteFiles = {
  siteKey: 'controller/site.key',
  /** who signs agents' credentials, and who is shut out */
  signers: 'controller/keys.json',
  caCert: 'ca/ca.pem',
  caKey: 'ca/ca.key',
  natsSite: 'nats/site.json',
  operatorCreds: 'cli/operator.creds',
  adminPassword: 'ca/admin.password',
} as const

/** What a site can do without: it is made again, or asked for. */
export const optionalSiteFiles: readonly string[] = [siteFiles.signers, siteFiles.operatorCreds, siteFiles.adminPassword]
