import { createClient, SkerryError } from '@skerry/sdk'

const client = createClient({ baseUrl: process.env['SKERRY_URL'] ?? 'http://127.0.0.1:8080' })
await client.login('admin', process.env['SKERRY_PASSWORD'] ?? 'password')

// Names, parameters and results of every API are types: a misspelt one does not compile.
const { inventory: zone } = await client.call('CreateZone', { name: 'north' }, { wait: true })
console.log(`made zone ${zone.name}, ${zone.state}, at ${zone.createDate}`)

// Without `wait` a call answers its job at once.
const { job } = await client.call('CreateCluster', { name: 'c1', zoneUuid: zone.uuid, hypervisorType: 'KVM' })
const ended = await client.waitJob(job.uuid, { onStep: ({ step, state }) => console.log(`${state} ${step}`) })
if (ended.state !== 'done') throw new Error(`job ${job.uuid} is ${ended.state}`)

const { inventories } = await client.query('cluster', { q: ['zone.name=north'], sort: '+name' })
for (const cluster of inventories) console.log(`cluster ${cluster.name} ${cluster.hypervisorType}`)

try {
  await client.get('vmInstance', 'nobody')
} catch (error) {
  if (!(error instanceof SkerryError && error.code === 'not-found')) throw error
  console.log(`${error.code}: ${error.message}`)
}
