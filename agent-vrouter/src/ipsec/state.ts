/** Whether a connection carries what it should, and why not, in words for people. Pure. */
import type { CharonView } from '@skerry/host'
import type { IpsecHave } from './have.ts'
import { childrenOf, connectionName, type Spec } from './rules.ts'

type State = NonNullable<IpsecHave['state']>

/** `cause`: what charon or its peer has said last of it. */
export function stateOf(uuid: string, spec: Spec, seen: { charon: CharonView; cause: string | undefined }): State {
  const name = connectionName(uuid, spec)
  const own = seen.charon.tunnels.filter(({ connection }) => connection === name)
  const carried = own.filter(({ established }) => established).flatMap((tunnel) => tunnel.carried.filter((one) => one.installed))
  const missing = pairsOf(spec).filter(
    ([local, peer]) => !carried.some((one) => one.localCidrs.includes(local) && one.peerCidrs.includes(peer)),
  )
  if (missing.length === 0) return { status: 'Connected', cause: null }
  if (seen.cause !== undefined) return { status: 'Disconnected', cause: seen.cause }
  const [first] = missing
  if (carried.length > 0 && first)
    return {
      status: 'Disconnected',
      cause: `the peer carries nothing between ${first[0]} and ${first[1]}: compare the networks on both sides`,
    }
  return { status: 'Connecting', cause: null }
}

const pairsOf = (spec: Spec): [local: string, peer: string][] =>
  childrenOf(spec).flatMap(({ localCidrs, peerCidrs }) =>
    localCidrs.flatMap((local) => peerCidrs.map((peer): [string, string] => [local, peer])),
  )

/** Lines of charon's log that say why there is no tunnel (strongSwan 5.9), and what they mean. */
const CAUSES: readonly [RegExp, string | undefined][] = [
  [/received AUTHENTICATION_FAILED|AUTH(ENTICATION)? failed|MAC mismatched/i, 'the keys or the ids of the two sides differ'],
  [
    /received INVALID_ID_INFORMATION|peer not authenticated|no shared key found|constraint check failed/i,
    'the ids of the two sides differ',
  ],
  [
    /NO_PROPOSAL_CHOSEN|no acceptable (proposal|.* selected)|received proposals unacceptable/i,
    'the two sides have no proposal in common: compare algorithms and groups',
  ],
  [/TS_UNACCEPTABLE|traffic selectors .* unacceptable/i, 'the peer does not have these networks: compare them on both sides'],
  [/giving up after|peer not responding|DPD check timed out|establishing IKE_SA failed, peer/i, 'the peer does not answer'],
  [/received DELETE for (IKE_SA|ESP CHILD_SA)|received CHILD_SA delete/i, 'the peer has ended it'],
  [/received .* (error )?notify|received .* notify error/i, undefined],
  [/network is unreachable|unable to (send|resolve|install|allocate)|installing (route|policy) failed/i, undefined],
]

/** Undefined: the line says nothing of the kind. */
export function causeIn(line: string): string | undefined {
  const found = CAUSES.find(([form]) => form.test(line))
  if (!found) return undefined
  return found[1] === undefined ? line.slice(0, 200) : `${found[1]} (${line.slice(0, 200)})`
}
