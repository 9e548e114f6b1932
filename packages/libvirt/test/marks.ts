/** How our mark is taken away, and put on what runs together with its definition, on every implementation of the port. */
import { expect } from 'vitest'
import { type Libvirt, type Mark, markMetadata, markNamespace, parseDomain } from '../src/index.ts'

const within = { timeoutMs: 30_000 }

/** `mark`: of a domain that is off and has it; at the end it runs and has none. */
export async function marksBoth(libvirt: Libvirt, mark: Mark): Promise<void> {
  const { uuid } = mark
  await libvirt.call('domainSetMetadata', { uuid, ...markMetadata(mark), xml: null }, within)
  expect(await libvirt.call('domainGetMetadata', { uuid, uri: markNamespace }, within)).toBeNull()
  await libvirt.call('domainCreate', { uuid }, within)
  const xmls = () => Promise.all([false, true].map((inactive) => libvirt.call('domainXml', { uuid, inactive }, within)))
  const marks = async () => (await xmls()).map((xml) => parseDomain(xml).mark)
  await libvirt.call('domainSetMetadata', { uuid, ...markMetadata(mark), affect: 'both' }, within)
  expect(await marks()).toEqual([mark, mark])
  await libvirt.call('domainSetMetadata', { uuid, ...markMetadata(mark), xml: null, affect: 'both' }, within)
  expect(await marks()).toEqual([null, null])
}
