/** The door to a machine. Agents receive a `Host`; nothing else in the project starts a program or writes to /proc or /sys. */
import { type Bridges, bridges } from './bridge.ts'
import { type BridgeFilter, bridgeFilter } from './bridge-filter.ts'
import { type Charon, charon } from './charon.ts'
import { type Conntrack, conntrack } from './conntrack.ts'
import { type Dnsmasq, dnsmasq } from './dnsmasq.ts'
import { type Exec, realExec } from './exec.ts'
import { type Facts, facts } from './facts.ts'
import { type FatImages, fatImages } from './fat-image.ts'
import { type Files, files } from './files.ts'
import { type Haproxy, haproxy } from './haproxy.ts'
import { type Ip, ip } from './ip.ts'
import { type Routing, routing } from './ip-rule.ts'
import { type Lighttpd, lighttpd } from './lighttpd.ts'
import { type Nft, nft } from './nft.ts'
import { type Processes, processes } from './process.ts'
import { type QemuImg, qemuImg } from './qemu-img.ts'
import { type Tcp, tcp } from './tcp.ts'

export interface Host {
  ip: Ip
  routing: Routing
  conntrack: Conntrack
  bridge: Bridges
  bridgeFilter: BridgeFilter
  nft: Nft
  dnsmasq: Dnsmasq
  haproxy: Haproxy
  lighttpd: Lighttpd
  charon: Charon
  qemuImg: QemuImg
  fatImages: FatImages
  files: Files
  facts: Facts
  process: Processes
  tcp: Tcp
  exec: Exec
}

/** This machine. `exec: execInNetns(realExec(), 'h1')` makes a host out of a namespace. */
export function realHost(config: { exec?: Exec } = {}): Host {
  const exec = config.exec ?? realExec()
  const ports = { exec, files: files(), processes: processes() }
  const ipTool = ip(exec)
  return {
    ip: ipTool,
    routing: routing(exec),
    conntrack: conntrack(exec),
    bridge: bridges(ipTool),
    bridgeFilter: bridgeFilter(exec),
    nft: nft(exec),
    dnsmasq: dnsmasq(ports),
    haproxy: haproxy(ports),
    lighttpd: lighttpd(ports),
    charon: charon(ports),
    qemuImg: qemuImg(exec, ports.files),
    fatImages: fatImages(exec, ports.files),
    files: ports.files,
    facts: facts(),
    process: ports.processes,
    tcp: tcp(exec),
    exec,
  }
}

export * from './bridge.ts'
export * from './bridge-filter.ts'
export * from './charon.ts'
export * from './charon-talk.ts'
export * from './conntrack.ts'
export * from './dnsmasq.ts'
export * from './dnsmasq-config.ts'
export * from './dnsmasq-v6.ts'
export * from './exec.ts'
export * from './extensions.ts'
export * from './facts.ts'
export type { FakeCharons, FakePeer } from './fakes/charon.ts'
export type { FakeFlow, FakeFlows } from './fakes/conntrack.ts'
export { FakeDisk, fakeFiles } from './fakes/files.ts'
export type { FakeBalancer, FakeBalancers } from './fakes/haproxy.ts'
export * from './fakes/host.ts'
export { fakeBlocks } from './fakes/qemu-img.ts'
export * from './fakes/tcp.ts'
export * from './fat-image.ts'
export * from './files.ts'
export * from './haproxy.ts'
export * from './haproxy-config.ts'
export * from './image-guard.ts'
export * from './ip.ts'
export * from './ip-rule.ts'
export * from './lighttpd.ts'
export * from './nft.ts'
export type * from './nft-build.ts'
export * as nftables from './nft-build.ts'
export * from './nft-table.ts'
export * from './nft-table-change.ts'
export * from './process.ts'
export { backingFile, checkHeader, innerSnapshots, isQcow2, type Qcow2Header } from './qcow2-header.ts'
export * from './qemu-img.ts'
export * from './tcp.ts'
