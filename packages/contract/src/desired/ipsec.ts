/** [format] Tunnels of IPsec that agent-vrouter keeps. */
import { z } from 'zod'
import { cidr4, ipv4, line, uuid } from '../scalars.ts'

/** Networks on either side of one connection: each pair of them is two policies of the kernel. */
export const MAX_IPSEC_CIDRS = 32

const proposal = z.string().regex(/^[a-z0-9-]{1,64}$/)

/**
 * Noun `ipsec`; uuid = connection. A tunnel from an address of a router (its VIP's document makes the leg) to a peer. A document is there
 * while the connection is enabled and has networks on both sides. The key is not in it: the agent asks for it (`ipsecAsk`).
 */
export const ipsec = {
  noun: 'ipsec',
  schema: 1,
  spec: z.object({
    routerUuid: uuid,
    /** of the address: its leg leads to the peer */
    l3NetworkUuid: uuid,
    ip: ipv4,
    peerAddress: ipv4,
    /** names the key: another key has another one */
    keyUuid: uuid,
    /** in strongSwan's words: an address, or `fqdn:` and a name */
    localId: line(260),
    peerId: line(260),
    ikeVersion: z.enum(['ike', 'ikev1', 'ikev2']),
    /** in strongSwan's words: `aes256-sha256-modp2048` */
    ikeProposal: proposal,
    espProposal: proposal,
    ikeLifeSeconds: z.number().int().min(60),
    lifeSeconds: z.number().int().min(30),
    localCidrs: z.array(cidr4).min(1).max(MAX_IPSEC_CIDRS),
    peerCidrs: z.array(cidr4).min(1).max(MAX_IPSEC_CIDRS),
  }),
} as const
export type IpsecSpec = z.infer<typeof ipsec.spec>

export const ipsecStatus = z.enum(['Connecting', 'Connected', 'Disconnected'])
/** `status.observed`: whether traffic of all its networks is carried; if not, why, as charon or its peer says it; and who does ESP. */
export const ipsecObserved = z.object({
  status: ipsecStatus,
  cause: z.string().nullable(),
  esp: z.enum(['kernel', 'user-space']).nullable(),
})
