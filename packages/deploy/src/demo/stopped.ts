/** Guests that `down` stopped, so that the next `up` starts exactly those. What a person stopped stays stopped. */
import { SkerryError, uuid } from '@skerry/contract'
import type { Files } from '@skerry/host'
import type { Client } from '@skerry/sdk'
import { z } from 'zod'
import { readDocument, writeDocument } from '../documents.ts'
import type { Layout } from '../layout.ts'

export interface GuestPorts {
  files: Files
  layout: Layout
  client: Client
}

const stoppedFile = z.object({ vms: z.array(uuid) })

/** Stops the running guests of the host with this address; those whose state can't be changed are named in the error after all others were tried. */
export async function stopGuests(ports: GuestPorts, managementIp: string, say: (text: string) => void): Promise<void> {
  const { files, layout, client } = ports
  const { inventories } = await client.query('vmInstance', { q: ['state=Running', `host.managementIp=${managementIp}`] })
  const before = (await readDocument(files, layout.stopped, stoppedFile))?.vms ?? []
  const uuids = inventories.map((vm) => vm['uuid'] as string)
  if (uuids.length === 0) return
  // written first: an end in the middle must not lose anybody
  await writeDocument(files, layout.stopped, { vms: [...new Set([...before, ...uuids])] })
  const failures: unknown[] = []
  await Promise.all(
    inventories.map(async (vm) => {
      say(`stops ${vm['name']}`)
      await client
        .call('StopVmInstance', { uuid: vm['uuid'], type: 'grace' }, { wait: true })
        .catch((error) => failures.push(error))
    }),
  )
  if (failures.length > 0) {
    const message = `${failures.length} of ${uuids.length} guests could not be stopped`
    throw new SkerryError(
      'internal',
      message,
      { remedy: 'skerry get vm shows which; stop them and run down again' },
      { cause: failures[0] },
    )
  }
}

/** Starts again what `down` stopped. Guests that are gone or run already are no error. */
export async function startStopped(ports: GuestPorts, say: (text: string) => void): Promise<number> {
  const { files, layout, client } = ports
  const wanted = (await readDocument(files, layout.stopped, stoppedFile))?.vms ?? []
  if (wanted.length === 0) return 0
  const { inventories } = await client.query('vmInstance', { q: [`uuid?=${wanted.join(',')}`, 'state=Stopped'] })
  for (const vm of inventories) {
    say(`starts ${vm['name']}`)
    await client.call('StartVmInstance', { uuid: vm['uuid'] }, { wait: true })
  }
  await files.remove(layout.stopped)
  return inventories.length
}
