/** What the proofs of prices start from. */
import { ADMIN_ACCOUNT } from '@skerry/contract'
import type { Input } from '../src/workflows/world.ts'
import { after, type Before, on, onSite } from './before.ts'
import { id } from './world.ts'

const table = id('price table')
const other = id('other price table')
const price = id('price')
const perHour = { timeUnit: 'h', price: 2 }
const ofMemory = { ...perHour, resourceName: 'memory', resourceUnit: 'g' }
const prices = [{ ...perHour, resourceName: 'cpu' }, ofMemory]

const aTable: [string, Input] = ['priceTable.create', on('priceTable', table, { name: 'gold', prices })]
const another: [string, Input] = ['priceTable.create', on('priceTable', other, { name: 'silver' })]
const aPrice: [string, Input] = ['price.create', on('price', price, ofMemory)]
const binding = (tableUuid: string) => on('accountPriceTableRef', id('call'), { accountUuid: ADMIN_ACCOUNT, tableUuid })
const bound: [string, Input] = ['priceTable.attach', binding(table)]

export const billCases: Record<string, Before> = {
  'priceTable.create': onSite(aTable[1]),
  'price.create': after([aTable], on('price', price, { ...ofMemory, tableUuid: table })),
  'price.update': after([aPrice], on('price', price, { setEndDateInLongBaseOnCurrentTime: true })),
  'price.delete': after([aPrice], on('price', price, { cutoffPrice: true })),
  'priceTable.attach': after([aTable], binding(table)),
  'priceTable.change': after([aTable, another, bound], binding(other)),
  'priceTable.detach': after([aTable, bound], binding(table)),
}
