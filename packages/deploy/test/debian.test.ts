/** The Debian guest's pure parts, and the order in which it is built. */
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Exec, files, type QemuImg, type RunOptions, realHost } from '@skerry/host'
import { requireOrSkip } from '@skerry/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildDebian, DEBIAN_FILE, DISK_BYTES, keyOf } from '../src/debian/build.ts'
import { EARLY_FILES, filesOf, PACKAGES } from '../src/debian/contents.ts'
import { type AptSource, aptSources, parseTargets } from '../src/debian/sources.ts'
import { masterBootRecord } from '../src/guest/disk-layout.ts'
import { personKey, siteKey } from '../src/site/ssh-key.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-debian-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const TARGETS = `Debian|bookworm|main|$(SIGNED_BY)|http://mirror.test/debian/|bookworm
Debian|bookworm|main|$(SIGNED_BY)|http://mirror.test/debian/|bookworm
Debian|bookworm|non-free|$(SIGNED_BY)|http://mirror.test/debian/|bookworm
Debian|bookworm-security|main|/usr/share/keyrings/own.gpg|http://me:secret@mirror.test/security/|bookworm-security
Debian|trixie|main|$(SIGNED_BY)|http://mirror.test/debian/|trixie
Other|bookworm|main|$(SIGNED_BY)|http://other.test/|bookworm
`

describe('where Debian comes from', () => {
  it('is where apt gets the suite and its updates, and nothing else', () => {
    expect(parseTargets(TARGETS, 'bookworm')).toEqual([
      { line: 'deb http://mirror.test/debian/ bookworm main', secret: false },
      {
        line: 'deb [signed-by=/usr/share/keyrings/own.gpg] http://me:secret@mirror.test/security/ bookworm-security main',
        secret: true,
      },
    ])
  })

  it('is asked for again after fetching the lists, and its absence says what to do', async () => {
    const ran: string[] = []
    let known = ''
    const exec = {
      run: async (_: string, [verb = '']: readonly string[]) => {
        ran.push(verb)
        if (verb === 'update') known = TARGETS
        return { code: 0, stdout: known, stderr: '' }
      },
    } as unknown as Exec
    expect(await aptSources(exec, 'bookworm')).toHaveLength(2)
    expect(ran).toEqual(['indextargets', 'update', 'indextargets'])
    await expect(aptSources(exec, 'forky')).rejects.toMatchObject({
      details: { remedy: expect.stringContaining('sources.list') },
    })
  })
})

describe('what is inside', () => {
  const sources: AptSource[] = parseTargets(TARGETS, 'bookworm')

  it('has no password of the building machine, and what cloud-init fails without', () => {
    const texts = filesOf(sources)
    expect(texts['/etc/apt/sources.list']).toBe('deb http://mirror.test/debian/ bookworm main\n')
    expect(JSON.stringify(texts)).not.toContain('secret')
    expect(PACKAGES).toContain('python3-cffi-backend')
    expect(texts['/etc/machine-id']).toBe('')
  })

  it('is another image when a source is another, and the same when nothing is', () => {
    expect(keyOf(sources)).toBe(keyOf(parseTargets(TARGETS, 'bookworm')))
    expect(keyOf(sources)).not.toBe(keyOf(sources.slice(0, 1)))
  })

  it('boots from a partition of Linux’s kind that ends with the disk', () => {
    const sectors = DISK_BYTES / 512 - 2048
    const view = new DataView(masterBootRecord(new Uint8Array(440), { kind: 'linux', sectors }).buffer)
    expect([view.getUint8(446), view.getUint8(450)]).toEqual([0x80, 0x83])
    expect([view.getUint32(454, true), view.getUint32(458, true)]).toEqual([2048, sectors])
  })
})

/** A machine on which every program succeeds; mmdebstrap leaves what the next steps read. */
function machine() {
  const ran: { argv: string[]; input: unknown }[] = []
  const disk = files()
  const run = async (cmd: string, argv: readonly string[], { input, onStderr }: Partial<RunOptions> = {}) => {
    ran.push({ argv: [cmd, ...argv], input })
    const root = argv.find((arg) => arg.endsWith('/root'))
    if (cmd === 'unshare' && root) {
      onStderr?.('I: running apt-get update...\nW: no matter\nI: extracting archives...\n')
      await disk.makeDir(`${root}/usr/lib/grub/i386-pc`, 0o755)
      await disk.write(`${root}/usr/lib/grub/i386-pc/boot.img`, new Uint8Array(512).fill(7))
    }
    if (argv.includes('grub-mkimage')) await disk.write(`${argv[0]}/boot/grub/core.img`, new Uint8Array(1000).fill(9))
    return { code: 0, stdout: argv[0] === 'indextargets' ? TARGETS : '', stderr: '' }
  }
  const exec = { run } as unknown as Exec
  const qemuImg = {
    resize: async () => undefined,
    convert: async ({ to }: { to: { path: string } }) => disk.write(to.path, 'the image'),
  } as unknown as QemuImg
  return { ran, steps: [] as string[], ports: { exec, files: disk, qemuImg } }
}

describe('the build', () => {
  it('installs in a mount namespace of its own, and leaves the image only', async () => {
    const { ran, steps, ports } = machine()
    const made = await buildDebian({ ...ports, cacheDir: dir, onStep: (step) => void steps.push(step) })
    expect(made).toMatchObject({
      cached: false,
      path: `${dir}/debian-${keyOf(parseTargets(TARGETS, 'bookworm'))}/${DEBIAN_FILE}`,
    })
    const install = ran.find(({ argv }) => argv.includes('mmdebstrap'))!
    expect(install.argv.slice(0, 5)).toEqual(['unshare', '--mount', '--propagation', 'private', 'mmdebstrap'])
    expect(install.input).toContain('http://me:secret@mirror.test/security/')
    expect(JSON.stringify(install.argv)).not.toContain('secret')
    expect(steps).toEqual(
      expect.arrayContaining(['install Debian: running apt-get update', 'install Debian: extracting archives']),
    )
    expect(await files().list(dir)).toEqual([made.path.split('/').at(-2)])
    const before = ran.length
    expect(await buildDebian({ ...ports, cacheDir: dir })).toEqual({ ...made, cached: true })
    expect(ran.slice(before).map(({ argv }) => argv[1])).toEqual(['indextargets'])
  })

  it('puts in place before what the kernel’s package reads', async () => {
    const { ports } = machine()
    const seen: string[] = []
    const { run } = ports.exec
    ports.exec.run = async (cmd, argv, opts) => {
      const early = argv.find((arg) => arg.startsWith('--essential-hook=sync-in '))?.split(' ')[1]
      if (early) for (const path of Object.keys(EARLY_FILES)) seen.push((await files().read(`${early}${path}`)) ?? 'absent')
      return run(cmd, argv, opts)
    }
    await buildDebian({ ...ports, cacheDir: dir })
    expect(seen).toEqual(Object.values(EARLY_FILES))
  })

  it('that fails says what helps, and leaves nothing', async () => {
    const { ports } = machine()
    const { run } = ports.exec
    ports.exec.run = async (cmd, argv, opts) => {
      if (cmd === 'unshare') throw new Error('no network')
      return run(cmd, argv, opts)
    }
    await expect(buildDebian({ ...ports, cacheDir: dir })).rejects.toMatchObject({
      code: 'image-unreachable',
      details: { remedy: expect.stringContaining('mmdebstrap') },
    })
    expect(await files().list(dir)).toEqual([])
  })
})

describe('the key of guests', () => {
  it.runIf(requireOrSkip('a key of the site', { programs: ['ssh-keygen'] }))('is made once, for its owner only', async () => {
    const path = join(dir, 'cli/id_ed25519')
    const key = await siteKey(realHost(), path, 'skerry guests')
    expect(key).toEqual({ publicKey: expect.stringMatching(/^ssh-ed25519 \S+ skerry guests$/), privateKey: path })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await siteKey(realHost(), path, 'other')).toEqual(key)
  })

  it('of a person is the public one, with the private one where it lies beside', async () => {
    const path = join(dir, 'id.pub')
    const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGM5YmU3AAAAC3NzaC1lZDI1NTE5 me@home'
    await writeFile(path, `${line}\n`)
    expect(await personKey(files(), path)).toEqual({ publicKey: line, privateKey: undefined })
    await writeFile(join(dir, 'id'), 'x')
    await chmod(join(dir, 'id'), 0o600)
    expect(await personKey(files(), path)).toEqual({ publicKey: line, privateKey: join(dir, 'id') })
    await writeFile(path, '-----BEGIN OPENSSH PRIVATE KEY-----\n')
    await expect(personKey(files(), path)).rejects.toThrow('is a private key')
    await writeFile(path, `${line}\n${line}\n`)
    await expect(personKey(files(), path)).rejects.toThrow('in one line')
    await expect(personKey(files(), join(dir, 'none'))).rejects.toThrow('is not there')
  })
})
