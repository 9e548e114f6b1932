import { expect, test } from 'vitest'
import { startSmallSite } from '../harness/small-site.ts'
import { makeSmallWorld } from '../harness/small-world.ts'
test('boots', async () => {
  const t = performance.now()
  const site = await startSmallSite()
  console.log('site', performance.now() - t)
  const w = await makeSmallWorld(site).catch(e => { console.log(JSON.stringify(site.errors).slice(0,3000)); throw e })
  console.log('world', performance.now() - t)
  const vm = await site.client.call('CreateVmInstance', { name: 'vm', instanceOfferingUuid: w.offering, imageUuid: w.image, l3NetworkUuids: [w.l3] })
  console.log('vm', performance.now() - t, JSON.stringify(vm, null, 1))
  for (const a of ['StopVmInstance','StartVmInstance','RebootVmInstance','DestroyVmInstance','RecoverVmInstance','DestroyVmInstance','ExpungeVmInstance']) { await site.client.call(a, {uuid: (vm.inventory as any).uuid}); console.log(a, performance.now() - t) }
  console.log(site.errors, site.contradictions())
  await site.stop()
})
