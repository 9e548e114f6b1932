/**
 * [format] What agent-kvm keeps true of security groups: who is in a group, what its rules are, and what a card needs. Documents of a group
 * are on the hosts whose cards are in it, or in one whose rules name it.
 */
import { z } from 'zod'
import { ifname, ip, mac, port, uuid } from '../scalars.ts'

/** Addresses in a document: each has at most 39 characters, so it stays below 256 KiB. */
export const MAX_MEMBER_ADDRESSES = 5_000

/** Noun `securityMembers`; uuid = page of a group, which is a part of its cards. Addresses as RFC 5952 writes them, sorted. */
export const securityMembers = {
  noun: 'securityMembers',
  schema: 1,
  spec: z.object({ securityGroupUuid: uuid, ips: z.array(ip).max(MAX_MEMBER_ADDRESSES) }),
} as const
export type SecurityMembersSpec = z.infer<typeof securityMembers.spec>

/** Both ends belong to it; addresses are of the rule's family. Spans of a list neither meet nor touch, and are sorted. */
const addressSpan = z.tuple([ip, ip])
const portSpan = z.tuple([port, port])
export const securityRule = z.object({
  type: z.enum(['Ingress', 'Egress']),
  ipVersion: z.literal([4, 6]),
  protocol: z.enum(['ALL', 'TCP', 'UDP', 'ICMP']),
  action: z.enum(['ACCEPT', 'DROP']),
  /** where it comes from (Ingress) or goes to (Egress); absent: anywhere */
  ips: z.array(addressSpan).min(1).optional(),
  /** the members of this group instead */
  remoteGroupUuid: uuid.optional(),
  /** where it goes to; TCP and UDP only; absent: any */
  ports: z.array(portSpan).min(1).optional(),
})
export type SecurityRuleSpec = z.infer<typeof securityRule>

/** Noun `securityGroup`; uuid = security group. Its rules that count, in their order: the first that fits decides. */
export const securityGroup = {
  noun: 'securityGroup',
  schema: 1,
  spec: z.object({ rules: z.array(securityRule) }),
} as const
export type SecurityGroupSpec = z.infer<typeof securityGroup.spec>

const policy = z.enum(['ALLOW', 'DENY'])
/** Noun `nicSecurity`; uuid = NIC. */
export const nicSecurity = {
  noun: 'nicSecurity',
  schema: 1,
  spec: z.object({
    tap: ifname,
    bridge: ifname,
    mac,
    ips: z.array(ip),
    /** asked one after another; what none of them decides is as the policies say. null: it is in none, so all may pass */
    groups: z.object({ uuids: z.array(uuid).min(1), ingressPolicy: policy, egressPolicy: policy }).nullable(),
    /** the guest may only speak as itself: MAC, addresses, ARP, neighbour discovery; no router advertisements, no DHCP answers */
    cleanTraffic: z.boolean(),
  }),
} as const
export type NicSecuritySpec = z.infer<typeof nicSecurity.spec>
/** `status.observed` of these nouns. `by`: what the kernel can do: conntrack of bridges, or br_netfilter */
export const securityObserved = z.object({ by: z.enum(['bridge', 'inet', 'none']) })
