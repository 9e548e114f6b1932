/** Which elements of a router's sets and maps move, and for whom: each VIP moves its own, in one transaction. Pure. */
import { legName } from '@skerry/contract'
import { type NftElement, nftables } from '@skerry/host'
import type { VipStep } from './have.ts'
import type { RouterPlan, Want } from './plan.ts'
import { addressOf, type Elements, elementsOf, type Spec } from './rules.ts'

const { elementKey } = nftables

interface Moves {
  add: Elements
  remove: Elements
}

/** Everything that the sets of a router lack or have too much. */
function difference({ view, vips }: RouterPlan): Moves {
  const wanted = elementsOf(vips)
  const moves: Moves = { add: {}, remove: {} }
  for (const [name, elements] of Object.entries(wanted)) {
    const have = view.elements[name] ?? []
    const [want, there] = [new Set(elements.map(elementKey)), new Set(have.map(elementKey))]
    moves.add[name] = elements.filter((element) => !there.has(elementKey(element)))
    moves.remove[name] = have.filter((element) => !want.has(elementKey(element)))
  }
  return moves
}

function only(moves: Moves, is: (set: string, element: NftElement) => boolean): VipStep[] {
  const part = (elements: Elements): Elements =>
    Object.fromEntries(
      Object.entries(elements).flatMap(([set, all]) => {
        const mine = all.filter((element) => is(set, element))
        return mine.length > 0 ? [[set, mine]] : []
      }),
    )
  const [add, remove] = [part(moves.add), part(moves.remove)]
  return Object.keys(add).length + Object.keys(remove).length > 0 ? [{ op: 'table.move', add, remove }] : []
}

const ofGuests = new Set(['eip_legs', 'eip_vips'])
const concerns = ({ spec }: Pick<Want, 'spec'>, set: string, address: string): boolean =>
  set === 'legs'
    ? legName(spec.l3NetworkUuid) === address
    : ofGuests.has(set)
      ? spec.eip?.guestIp === address
      : spec.ip === address

/** What nobody else has to do with is the first one's. */
export function ownMoves(w: Want, router: RouterPlan): VipStep[] {
  const ownerOf = (set: string, element: NftElement) => {
    const address = addressOf(element)
    const owner = router.acting.find((other) => concerns(other, set, address)) ?? formerOf(set, address, router)
    return (owner ?? router.acting[0])?.uuid
  }
  return only(difference(router), (set, element) => ownerOf(set, element) === w.uuid)
}

/** The VIP under which a guest has begun so far, though it is no longer wanted so. */
function formerOf(set: string, guest: string, { view, acting }: RouterPlan): Want | undefined {
  if (!ofGuests.has(set)) return undefined
  const ip = view.elements['eip_vips']?.find((element) => addressOf(element) === guest)
  return acting.find((other) => Array.isArray(ip) && ip[1] === other.spec.ip)
}

/** What stands there for a VIP that goes, unless it is what another one wants. */
export function removalMoves(spec: Spec, router: RouterPlan): VipStep[] {
  const { add, remove } = difference(router)
  const mine = (set: string, element: NftElement) =>
    concerns({ spec }, set, addressOf(element)) &&
    // a leg's own element goes with the leg
    (set !== 'legs' || !router.vips.some((vip) => vip.spec.l3NetworkUuid === spec.l3NetworkUuid))
  // a guest that has another EIP begins under that one, at once
  const addForGuests = Object.fromEntries(Object.entries(add).filter(([set]) => ofGuests.has(set)))
  return only({ add: addForGuests, remove }, (set, element) => mine(set, element) && claim(router, set, element))
}

/** Each element goes once, though several VIPs that go may have to do with it. */
function claim({ claimed }: RouterPlan, set: string, element: NftElement): boolean {
  const key = `${set} ${elementKey(element)}`
  return !claimed.has(key) && claimed.add(key).has(key)
}
