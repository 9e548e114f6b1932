/** Errors of networks: part of the one table (`errors.ts`). */
import { e } from './error-spec.ts'

export const networkErrors = {
  'guard-unsupported': e(
    'HOST.1000',
    503,
    'later',
    'The kernel of the host cannot guard network cards',
    'Load br_netfilter there, or use a kernel of 5.3 or newer with nf_conntrack_bridge; cards are guarded as soon as it can.',
  ),
  'nic-unguarded': e(
    'VM.1003',
    503,
    'later',
    'A network card is not guarded yet, so its guest is not given it',
    'See the condition of its security group on that host; it goes on by itself once the rules are there.',
  ),
} as const
