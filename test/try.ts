import { startSite } from './harness/site.ts'
import { makeDemo } from './harness/demo.ts'
const s = await startSite().catch((e) => { console.error(e); process.exit(1) })
console.log('up', s.dir, s.url)
try {
  const d = await makeDemo(s, { services: process.env['SERVICES']?.split(',').filter(Boolean) ?? [] })
  console.log(d)
  const t = Date.now()
  const vm = await s.call('CreateVmInstance', { name: 'hello', ...d.vmParams })
  console.log('created in', Date.now() - t, JSON.stringify(vm))
  console.log(JSON.stringify(await s.client.auditHosts(), null, 1))
  for (const api of ['StopVmInstance', 'StartVmInstance', 'RebootVmInstance', 'DestroyVmInstance', 'ExpungeVmInstance']) {
    const t = Date.now()
    const r = await s.call(api, { uuid: vm['uuid'] })
    console.log(api, Date.now() - t, r['state'])
  }
  console.log(JSON.stringify(await s.client.auditHosts(), null, 1))
} catch (e) { console.error(JSON.stringify(e, null, 1), e) }
await s.stop()
