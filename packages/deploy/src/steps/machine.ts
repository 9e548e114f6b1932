/** The guest image, whether KVM works, and libvirt. */
import { SkerryError } from '@skerry/contract'
import { spawnProbe } from '@skerry/libvirt'
import { buildDebian } from '../debian/build.ts'
import { buildGuest } from '../guest/build.ts'
import { kvmVerdict } from '../kvm.ts'
import { writeRecord } from '../record.ts'
import { ownLibvirt, prepareOwnLibvirt, SYSTEM_URI } from '../services/libvirt.ts'
import { need, type Step } from './state.ts'

/** Between two signs of life of something long. */
const TICK_MS = 10_000

/** Asked of apt only when the image is gone or other code builds it: a second run downloads nothing. */
export const buildImage: Step = async (up, say) => {
  const { host, layout } = up
  const record = need(up, 'record')
  const builtBy = need(up, 'bundles').deploy
  const there = record.guest && (await host.files.stat(record.guest.path))
  if (record.guest && there && record.guest.builtBy === builtBy) {
    up.found.guest = record.guest
    return
  }
  const { path, sha256 } = await buildGuest({ ...host, cacheDir: layout.cache, onStep: say })
  up.found.guest = { path, sha256 }
  up.found.record = { ...record, guest: { path, sha256, builtBy } }
  await writeRecord(host.files, layout, up.found.record)
}

/** Only where it is asked for: it takes minutes the first time. */
export const buildDebianImage: Step = async (up, say) => {
  const { host, layout, now, sleep } = up
  const began = now()
  const shown = { step: 'Debian', done: false }
  const tell = () => say(`${shown.step}, ${Math.round((now() - began) / 1000)} s`)
  const tick = async () => {
    for (await sleep(TICK_MS); !shown.done; await sleep(TICK_MS)) tell()
  }
  void tick()
  try {
    const onStep = (step: string) => {
      shown.step = step
      tell()
    }
    const { path, sha256 } = await buildDebian({ ...host, cacheDir: layout.cache, onStep })
    up.found.debian = { path, sha256 }
  } finally {
    shown.done = true
  }
}

export const findKvm: Step = async (up) => {
  const { host, layout } = up
  const bootId = await host.facts.bootId()
  const { path } = need(up, 'guest')
  up.found.kvm = await kvmVerdict({ files: host.files, qemuImg: host.qemuImg, probe: spawnProbe, bootId, layout }, path)
}

export const chooseLibvirt: Step = async (up) => {
  const { host, layout, systemd } = up
  if (need(up, 'record').libvirt === 'own') {
    const own = ownLibvirt(layout)
    const { machineUuid, bootId } = await host.facts.machine()
    await prepareOwnLibvirt(host, layout, { hostUuid: machineUuid, bootId })
    up.found.libvirt = own
    return
  }
  up.found.libvirt = { uri: SYSTEM_URI, services: [] }
  // socket activation starts it; enabling the socket is what its package does
  if (systemd) await host.exec.run('systemctl', ['start', 'libvirtd.socket'], { timeoutMs: 30_000, okCodes: [0, 5] })
  const { code, stderr } = await host.exec.run('virsh', ['-q', '-c', SYSTEM_URI, 'version'], {
    timeoutMs: 20_000,
    okCodes: [0, 1],
  })
  if (code !== 0) {
    const remedy = systemd ? 'systemctl status libvirtd' : "start the machine's libvirtd, or run with SKERRY_LIBVIRT=own"
    throw new SkerryError('host-command-failed', `the machine's libvirtd does not answer: ${stderr.trim()}`, { remedy })
  }
}
