/** Reads every router of this host: namespaces, ends of veths, tables, dnsmasq. Only reads. */
import { routerNetns, routerPort, routerUplink, toErrorBody } from '@skerry/contract'
import { type Address, type Host, type Link, nftables as _nft, ownerOf } from '@skerry/host'
import type { PlanContext } from '@skerry/reconcile'
import type { End, HostView, Inside, RouterHave } from './have.ts'
