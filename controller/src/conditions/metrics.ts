/** Conditions, store and agents as numbers for `/metrics`. */
import { conditionKinds } from '@skerry/contract'
import { Gauge, Registry } from 'prom-client'
import type { Overview } from './overview.ts'

/** `counts`: conditions that hold now, by code. */
export function siteMetrics(overview: () => Overview, counts: () => ReadonlyMap<string, number>): () => Promise<string> {
  const registry = new Registry()
  const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers: [registry] })
  const storeBytes = gauge('skerry_store_bytes', 'Size of the log')
  const storeSeq = gauge('skerry_store_seq', 'Newest durable commit')
  const writable = gauge('skerry_store_writable', '1 when commits are accepted')
  const nats = gauge('skerry_nats_connected', '1 when the controller is connected to NATS')
  const agents = gauge('skerry_agents', 'Enrolled agents')
  const connected = gauge('skerry_agents_connected', 'Agents that are heard')
  const vms = gauge('skerry_vms', 'VMs by state', ['state'])
  const conditions = gauge('skerry_condition', 'Conditions that hold now', ['code', 'severity'])
  return () => {
    const site = overview()
    storeBytes.set(site.store.bytes)
    storeSeq.set(site.store.durableSeq)
    writable.set(site.store.writable ? 1 : 0)
    nats.set(site.nats.state === 'connected' ? 1 : 0)
    agents.set(site.agents.total)
    connected.set(site.agents.connected)
    vms.reset()
    for (const [state, n] of Object.entries(site.vms.byState)) vms.set({ state }, n)
    const found = counts()
    // Kinds that don't hold are 0, not absent: an alert rule can tell "all is well" from "nobody answers".
    for (const [code, { severity }] of Object.entries(conditionKinds)) conditions.set({ code, severity }, found.get(code) ?? 0)
    return registry.metrics()
  }
}
