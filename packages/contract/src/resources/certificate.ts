import { z } from 'zod'
import { create, query, remove, update } from '../api.ts'
import { defineResource } from '../resource.ts'
import { secretRef, secretValue, uuid } from '../scalars.ts'

/** PEM of a certificate and its chain, and of its key where that is told in the same text. */
const pem = z.string().min(1).max(32_768)

/** A certificate for listeners that speak HTTPS. Its key is a secret of the site: nobody is told it but the router that serves it. */
export const certificate = defineResource({
  name: 'certificate',
  noun: 'certificate',
  path: '/certificates',
  inventory: { sdk: 'CertificateInventory', java: 'org.zstack.network.service.lb.CertificateInventory' },
  summary: 'A certificate for listeners of load balancers',
  scope: { owner: 'ownerUuid' },
  fields: { certificate: pem, privateKey: secretRef, fingerprint: z.string() },
  hidden: ['privateKey', 'fingerprint'],
  edges: {},
  indexes: ['name'],
  columns: ['name', 'uuid'],
  apis: [
    create('CreateCertificate', '/certificates', {
      of: 'certificate',
      workflow: 'certificate.create',
      params: { certificate: pem, privateKey: secretValue.optional() },
      summary: 'Keep a certificate and its key: PEM, the key in the same text or apart',
    }),
    query('QueryCertificate', '/certificates', 'certificate'),
    update('UpdateCertificate', '/certificates/{uuid}/actions', 'certificate'),
    remove('DeleteCertificate', '/certificates/{uuid}', 'certificate'),
  ],
})

/** A certificate that a listener has. */
export const loadBalancerListenerCertificateRef = defineResource({
  name: 'loadBalancerListenerCertificateRef',
  noun: 'load-balancer-listener-certificate',
  path: '/load-balancers/listeners/certificates',
  inventory: { sdk: 'LoadBalancerListenerCertificateRefInventory' },
  summary: 'The certificate of a listener',
  scope: { follows: 'listenerUuid', of: 'loadBalancerListener' },
  fields: { listenerUuid: uuid, certificateUuid: uuid },
  edges: {
    listener: {
      ...{ to: 'loadBalancerListener', via: 'listenerUuid', kind: 'parent', onDelete: 'cascade' },
      ...{ inverse: 'certificateRefs', inline: true },
    },
    certificate: {
      ...{ to: 'certificate', via: 'certificateUuid', kind: 'parent', onDelete: 'restrict' },
      ...{ inverse: 'listeners', inline: true },
    },
  },
  indexes: ['listenerUuid', 'certificateUuid'],
  columns: ['listenerUuid', 'certificateUuid'],
  apis: [],
})
