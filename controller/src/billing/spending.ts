/** A bill as ZStack's clients read it: by kind, then by resource, then each stretch of time. Pure. */
import type { PricedItem, Row } from '@skerry/contract'
import { type Line, totalOf } from './bill.ts'

/** ZStack's name of the kind, and the list of the resource's details that the item stands in. */
const shown: Readonly<Record<PricedItem, { kind: string; list: string; size?: string }>> = {
  cpu: { kind: 'VM', list: 'cpuInventory' },
  memory: { kind: 'VM', list: 'memoryInventory', size: 'memorySize' },
  rootVolume: { kind: 'rootVolume', list: 'sizeInventory', size: 'volumeSize' },
  dataVolume: { kind: 'dataVolume', list: 'sizeInventory', size: 'volumeSize' },
  snapShot: { kind: 'snapShot', list: 'sizeInventory', size: 'snapshotSize' },
  publicIp: { kind: 'publicIp', list: 'addressInventory' },
}

const groups = <T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] => {
  const found = new Map<string, T[]>()
  for (const one of all) found.set(keyOf(one), [...(found.get(keyOf(one)) ?? []), one])
  return [...found]
}

function detailOf(kind: string, [resourceUuid, lines]: [string, Line[]]): Row {
  const lists: Record<string, Row[]> = {}
  for (const { item, from, to, amount, quantity } of lines) {
    const { list, size } = shown[item]
    const part = { startTime: from, endTime: to, spending: amount, ...(size ? { [size]: quantity } : {}) }
    lists[list] = [...(lists[list] ?? []), part]
  }
  const resourceName = lines.at(-1)!.resourceName
  return { resourceUuid, resourceName, type: kind, hypervisorType: 'KVM', spending: totalOf(lines), ...lists }
}

/** `simple`: without the resources. */
export function spendingOf(lines: readonly Line[], { from, to, simple }: { from: number; to: number; simple: boolean }): Row[] {
  return groups(lines, ({ item }) => shown[item].kind).map(([kind, of]) => ({
    ...{ spendingType: kind, spending: totalOf(of), dateStart: from, dateEnd: to },
    ...(simple ? {} : { details: groups(of, ({ resourceUuid }) => resourceUuid).map((group) => detailOf(kind, group)) }),
  }))
}
