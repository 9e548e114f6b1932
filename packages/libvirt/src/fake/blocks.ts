/** Files of a fake domain's running disks: another file, jobs on their chains, growth. qemu itself is the fake disk's matter. */

import { checkIotune, type Iotune } from '../domain-spec.ts'
import { iotuneElement } from '../domain-xml.ts'
import { libvirtCodes } from '../failure-data.ts'
import type { BlockJob, Calls, Operation } from '../port.ts'
import { at, childrenNamed, element, readXml, writeXml, type XmlElement } from '../xml/document.ts'
import type { FakeDomain, FakeDomains } from './domains.ts'
import { FakeFailure } from './failure.ts'

/** The images that a fake domain has open. Without one, the fake keeps no chains and knows only names. */
export interface FakeImages {
  exists(path: string): boolean
  /** Null: it lies on nothing. */
  below(path: string): string | null
  /** From now on it lies on that. */
  put(path: string, below: string | null): void
  resize(path: string, sizeBytes: number): void
}

interface Job {
  info: BlockJob
  top: string
  base: string | null
}

const invalidArgument = 8
const invalid = (message: string) =>
  new FakeFailure(libvirtCodes.operationInvalid, `Requested operation is not valid: ${message}`)
const targetOf = (disk: XmlElement) => at(disk, 'target')?.attributes['dev'] ?? ''
const fileOf = (disk: XmlElement) => at(disk, 'source')?.attributes['file'] ?? ''

function withFile(disk: XmlElement, file: string, type?: string): XmlElement {
  const children = disk.children.map((child) => {
    if (child.name === 'source') return element('source', { file })
    return child.name === 'driver' && type !== undefined ? { ...child, attributes: { ...child.attributes, type } } : child
  })
  return { ...disk, children }
}

const disksOf = (xml: string): XmlElement[] => childrenNamed(at(readXml(xml), 'devices'), 'disk')

function withDisks(xml: string, change: (disk: XmlElement) => XmlElement): string {
  const root = readXml(xml)
  const devices = at(root, 'devices')
  if (!devices) return xml
  const after = { ...devices, children: devices.children.map((d) => (d.name === 'disk' ? change(d) : d)) }
  return writeXml({ ...root, children: root.children.map((c) => (c.name === 'devices' ? after : c)) })
}

type BlockHandlers = {
  [K in Extract<
    Operation,
    | 'domainSnapshotDisks'
    | 'domainBlockPull'
    | 'domainBlockCommit'
    | `domainBlockJob${string}`
    | 'domainBlockResize'
    | 'domainSetBlockIoTune'
  >]: (args: Calls[K]['args']) => Calls[K]['result']
}

export class FakeBlocks {
  readonly #domains: FakeDomains
  readonly #images: FakeImages | undefined
  /** `<id of the run>/<target>` */
  readonly #jobs = new Map<string, Job>()
  /** Whether jobs make progress. */
  going = true

  constructor(domains: FakeDomains, images?: FakeImages) {
    this.#domains = domains
    this.#images = images
  }

  handlers(): BlockHandlers {
    return {
      domainSnapshotDisks: ({ uuid, xml }) => this.#snapshot(this.#running(uuid), xml),
      domainBlockPull: ({ uuid, disk, base }) => this.#begin(uuid, disk, { type: 'pull', base }),
      domainBlockCommit: ({ uuid, disk, base }) => this.#begin(uuid, disk, { type: 'active-commit', base }),
      domainBlockJob: ({ uuid, disk }) => this.#look(uuid, disk),
      domainBlockJobEnd: ({ uuid, disk, how }) => this.#end(uuid, disk, how),
      domainBlockResize: ({ uuid, disk, sizeBytes }) => {
        this.#images?.resize(fileOf(this.#disk(this.#running(uuid), disk)), sizeBytes)
        return null
      },
      domainSetBlockIoTune: ({ uuid, disk, iotune }) => this.#tune(this.#running(uuid), disk, iotune),
    }
  }

  #running(uuid: string): FakeDomain {
    const domain = this.#domains.get(uuid)
    this.#domains.needActive(domain)
    return domain
  }

  #disk(domain: FakeDomain, target: string): XmlElement {
    const disk = disksOf(domain.live!.xml).find((d) => targetOf(d) === target)
    if (!disk) throw new FakeFailure(invalidArgument, `invalid argument: disk '${target}' not found in domain`)
    return disk
  }

  #tune(domain: FakeDomain, target: string, iotune: Iotune): null {
    const disk = this.#disk(domain, target)
    checkIotune(iotune)
    const rest = disk.children.filter((child) => child.name !== 'iotune')
    const tuned = { ...disk, children: [...rest, iotuneElement(iotune)] }
    this.#domains.edit(domain, 'live', (xml) => withDisks(xml, (d) => (targetOf(d) === target ? tuned : d)))
    return null
  }

  #snapshot(domain: FakeDomain, xml: string): null {
    const asked = childrenNamed(at(readXml(xml), 'disks'), 'disk').filter((d) => d.attributes['snapshot'] === 'external')
    const files = new Map(asked.map((d) => [d.attributes['name'] ?? '', at(d, 'source')?.attributes['file'] ?? '']))
    for (const [target, file] of files) {
      const before = fileOf(this.#disk(domain, target))
      if (this.#images && !this.#images.exists(file))
        throw new FakeFailure(
          libvirtCodes.systemError,
          `missing existing file for disk ${target}: ${file}: No such file or directory`,
        )
      if (file === before || (this.#images && this.#images.below(file) !== before))
        throw invalid(`the fake moves disk ${target} only to a file that lies on ${before}`)
    }
    this.#move(domain, files)
    return null
  }

  /** Also in the definition, where that names the same file. */
  #move(domain: FakeDomain, files: ReadonlyMap<string, string>): void {
    const before = new Map(disksOf(domain.live!.xml).map((d) => [targetOf(d), fileOf(d)]))
    const change = (disk: XmlElement) => {
      const file = files.get(targetOf(disk))
      return file !== undefined && fileOf(disk) === before.get(targetOf(disk)) ? withFile(disk, file, 'qcow2') : disk
    }
    this.#domains.edit(domain, 'live', (xml) => withDisks(xml, change))
    if (domain.xml !== null) this.#domains.edit(domain, 'config', (xml) => withDisks(xml, change))
  }

  #begin(uuid: string, target: string, { type, base }: { type: BlockJob['type']; base: string | null }): null {
    const domain = this.#running(uuid)
    const key = `${domain.live!.id}/${target}`
    if (this.#jobs.has(key)) throw invalid(`disk '${target}' already in active block job`)
    const top = fileOf(this.#disk(domain, target))
    if (this.#images && base !== null && !chainOf(this.#images, top).slice(1).includes(base))
      throw new FakeFailure(invalidArgument, `invalid argument: could not find image '${base}' beneath '${top}' in chain`)
    this.#jobs.set(key, { info: { type, done: 0, total: 100 }, top, base })
    return null
  }

  /** Each look finds it half the rest further, and then done. */
  #look(uuid: string, target: string): BlockJob | null {
    const domain = this.#running(uuid)
    this.#disk(domain, target)
    const key = `${domain.live!.id}/${target}`
    const job = this.#jobs.get(key)
    if (!job) return null
    if (this.going) job.info.done = job.info.done < 50 ? 50 : 100
    if (job.info.type === 'pull' && job.info.done === job.info.total) {
      this.#images?.put(job.top, job.base)
      this.#jobs.delete(key)
      return null
    }
    return { ...job.info }
  }

  #end(uuid: string, target: string, how: 'pivot' | 'abort'): null {
    const domain = this.#running(uuid)
    const key = `${domain.live!.id}/${target}`
    const job = this.#jobs.get(key)
    if (!job) throw invalid(`no active block job on disk '${target}'`)
    if (how === 'pivot') {
      if (job.info.type !== 'active-commit' || job.info.done < job.info.total)
        throw invalid(`block job '${job.info.type}' for disk '${target}' is not ready to pivot`)
      this.#move(domain, new Map([[target, job.base!]]))
    }
    this.#jobs.delete(key)
    return null
  }
}

function chainOf(images: FakeImages, top: string): string[] {
  const chain = [top]
  for (let below = images.below(top); below !== null; below = images.exists(below) ? images.below(below) : null) chain.push(below)
  return chain
}
