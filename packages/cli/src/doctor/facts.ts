/** One agent of this machine. */
export interface AgentFacts {
  kind: string
  /** of its process; undefined: none runs */
  pid: number | undefined
  folder: string
  /** of a running agent-kvm: the process through which it reaches libvirt, and the FFI library that this has loaded */
  backend?: { pid: number | undefined; ffi: string | undefined }
  /** live documents in its ledger */
  documents: number
  /** `lost`: neither the document nor its previous copy can be read */
  damaged: { path: string; lost: boolean }[]
}

/** What `skerry doctor` looks at on this machine. Undefined: could not be found out. */
export interface Doctor {
  /** `works`: QEMU could set a virtual CPU up with it; undefined where there is no QEMU to ask */
  kvm: { present: boolean; usable: boolean; works: boolean | undefined; cpuFlags: boolean }
  clock: { synchronised: boolean | undefined }
  disks: { path: string; totalBytes: number; availableBytes: number }[]
  /** of the interface that has the default route */
  uplink: { name: string; mtu: number } | undefined
  /** policy of the `filter FORWARD` chain, as Docker and ufw set it to drop */
  forwardPolicy: 'accept' | 'drop' | undefined
  ipForward: boolean | undefined
  /** program → version text; undefined: not installed */
  versions: Record<string, string | undefined>
  /** none on a machine that is no host of a site */
  agents: AgentFacts[]
  /** of the running process */
  node: string
}
