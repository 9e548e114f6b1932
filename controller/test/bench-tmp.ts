import fs from 'node:fs'
import { crc32 } from 'node:zlib'
import { randomUUID } from 'node:crypto'
import { realDisk } from '../src/store/disk.ts'
import { openStore } from '../src/store/store.ts'
import { Graph } from '@skerry/graph'
const dir = '/tmp/skerry-bench-' + process.pid
const tables = { vm: { indexes: ['name', 'hostUuid', 'state', 'zoneUuid'] } }
const id = () => randomUUID().replaceAll('-', '')
const hosts = Array.from({ length: 100 }, id)
const opt = { dir, disk: realDisk, tables, clock: Date.now, newId: id, limits: { autoSnapshot: false } }
const store = await openStore(opt)
const N = 500_000
const cpu0 = process.cpuUsage(); const t0 = performance.now()
let n = 0
async function worker() { while (n < N) { const i = n++; const uuid = id(); await store.commit({ guards: [{ g: 'absent', t: 'vm', k: uuid }], ops: [{ o: 'put', t: 'vm', k: uuid, v: { uuid, name: 'vm-' + i, hostUuid: hosts[i % 100], zoneUuid: hosts[0], clusterUuid: hosts[1], state: 'Running', platform: 'Linux', cpuNum: 2, memorySize: 1073741824, createDate: 1700000000000 + i, lastOpDate: 1700000000000 + i, description: null } }], facts: [{ noun: 'vm', uuid, event: 'created' }] }, { actor: hosts[2]! }) } }
await Promise.all(Array.from({ length: 256 }, worker))
const c = process.cpuUsage(cpu0)
console.log('commit 256 in flight:', ((performance.now() - t0) * 1000 / N).toFixed(2), 'us wall;', ((c.user + c.system) / N).toFixed(2), 'us cpu each')
const status = store.status()
await store.close()
const mark = process.cpuUsage()
for (let round = 0; round < 2; round++) {
  // raw: read, crc, parse, map + 4 indexes
  let t = performance.now()
  { const map = new Map(); const idx: Map<unknown, Set<string>>[] = [new Map(), new Map(), new Map(), new Map()]
    for (const f of fs.readdirSync(dir).filter((f) => f.endsWith('.seg')).sort()) { const b = fs.readFileSync(dir + '/' + f); for (let at = 0; at < b.length;) { const l = b.readUInt32LE(at); const sub = b.subarray(at + 8, at + 8 + l); if (crc32(sub) !== b.readUInt32LE(at + 4)) throw 1; const r = JSON.parse(sub.toString('utf8')); for (const op of r.commit.ops) { map.set(op.k, op.v); let i = 0; for (const fld of tables.vm.indexes) { const m = idx[i++]!; let s = m.get(op.v[fld]); if (!s) m.set(op.v[fld], s = new Set()); s.add(op.k) } } at += 8 + l } } }
  const raw = performance.now() - t
  globalThis.gc?.()
  t = performance.now()
  const again = await openStore(opt)
  console.log('raw', raw.toFixed(0), 'ms; open', (performance.now() - t).toFixed(0), 'ms', 'ratio', ((performance.now() - t) / raw).toFixed(2), again.recovery.replayed, (status.bytes / N).toFixed(0), 'B/record')
  globalThis.gc?.(); console.log('heap', (process.memoryUsage().heapUsed / 1e6).toFixed(0), 'MB')
  if (round === 1) {
    let worst = 0, last = performance.now(); const timer = setInterval(() => { const now = performance.now(); worst = Math.max(worst, now - last - 1); last = now }, 1)
    t = performance.now(); await again.snapshot(); clearInterval(timer); console.log('snapshot', (performance.now() - t).toFixed(0), 'ms, worst stall', worst.toFixed(1))
    t = performance.now(); const b = await (await openStore(opt)).recovery; console.log('with snapshot', (performance.now() - t).toFixed(0), 'ms', 'ratio to raw', ((performance.now() - t) / raw).toFixed(2), b.replayed)
  }
  await again.close()
}
fs.rmSync(dir, { recursive: true })
