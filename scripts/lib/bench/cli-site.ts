/** A whole small site for `scripts/bench cli`: tells its parent where it is, and ends with it. */
import { startSmallSite } from '../../../test/harness/small-site.ts'
import { makeSmallWorld } from '../../../test/harness/small-world.ts'

const VMS = 20

const site = await startSmallSite()
const { image, l3, offering } = await makeSmallWorld(site)
for (let i = 0; i < VMS; i++)
  await site.client.uuid('CreateVmInstance', {
    ...{ name: `vm${i}`, imageUuid: image, l3NetworkUuids: [l3], instanceOfferingUuid: offering },
  })
const stop = async () => {
  await site.stop()
  process.exit(0)
}
process.once('SIGTERM', stop)
process.once('disconnect', stop)
process.send?.({ url: site.url, session: site.client.session })
