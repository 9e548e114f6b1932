import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Exec, execInNetns, processes, type RunOptions, realExec } from '../src/index.ts'

const exec = realExec()
const quick = { timeoutMs: 30_000 }
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-exec-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

describe('exec.run', () => {
  it('hands arguments over untouched: nothing is a shell', async () => {
    const nasty = ['; echo hacked', '$(id)', '`id`', 'a b', "'", '"', '*', 'line\nbreak', '']
    const { stdout } = await exec.run('printf', ['%s\\0', ...nasty], quick)
    expect(stdout.split('\0').slice(0, -1)).toEqual(nasty)
  })

  it('gives the command PATH and the C locale, and nothing of our own environment', async () => {
    const { stdout } = await exec.run('env', [], quick)
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0])
        .sort(),
    ).toEqual(['LANG', 'LC_ALL', 'PATH'])
  })

  it('writes input, also when the command doesn’t read it', async () => {
    expect((await exec.run('cat', [], { ...quick, input: 'hällo' })).stdout).toBe('hällo')
    await exec.run('true', [], { ...quick, input: 'x'.repeat(1_000_000) })
  })

  it('offers input as a file to programs that open /dev/stdin, and leaves no file behind', async () => {
    const { stdout } = await exec.run('cat', ['/dev/stdin'], { ...quick, input: 'by name', inputAs: 'file' })
    expect(stdout).toBe('by name')
    const link = (await exec.run('readlink', ['/proc/self/fd/0'], { ...quick, input: 'x', inputAs: 'file' })).stdout
    expect(link).toMatch(/skerry-input-.* \(deleted\)/)
  })

  it('fails with argv, code and stderr when the command fails', async () => {
    await expect(exec.run('ls', ['/no/such/thing'], quick)).rejects.toMatchObject({
      code: 'host-command-failed',
      details: { argv: ['ls', '/no/such/thing'], code: 2, stderr: expect.stringContaining('No such file or directory') },
    })
  })

  it('keeps at most 2 KiB of stderr in the error', async () => {
    const error = await exec.run('sh', ['-c', 'yes problem | head -c 100000 >&2; exit 1'], quick).catch((thrown) => thrown)
    expect(error.details.stderr).toHaveLength(2048)
  })

  it('takes other exit codes as an answer where told so', async () => {
    expect(await exec.run('sh', ['-c', 'exit 3'], { ...quick, okCodes: [0, 3] })).toMatchObject({ code: 3 })
  })

  it('names a program that is not installed', async () => {
    await expect(exec.run('no-such-program', [], quick)).rejects.toMatchObject({
      code: 'host-command-failed',
      message: 'no-such-program is not installed on this host',
    })
  })

  it('kills the whole process group at its deadline', async () => {
    const pidFile = join(dir, 'pid')
    const started = performance.now()
    const run = exec.run('sh', ['-c', `sleep 60 & echo $! > ${pidFile}; wait`], { timeoutMs: 300 })
    await expect(run).rejects.toMatchObject({ code: 'deadline-exceeded' })
    expect(performance.now() - started).toBeLessThan(5_000)
    const pid = Number(await readFile(pidFile, 'utf8'))
    expect(await processes().waitGone({ pid, startTicks: (await processes().get(pid))?.startTicks ?? 0 }, 2_000)).toBe(true)
  })

  it('stops a command that writes more than it may', async () => {
    await expect(exec.run('yes', [], { ...quick, maxOutputBytes: 10_000 })).rejects.toMatchObject({ code: 'host-command-failed' })
  })

  it('stops when it is cancelled, before and during the run', async () => {
    const controller = new AbortController()
    const run = exec.run('sleep', ['60'], { ...quick, signal: controller.signal })
    controller.abort()
    await expect(run).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await expect(exec.run('sleep', ['60'], { ...quick, signal: controller.signal })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    })
  })

  it('shows output as it comes', async () => {
    const seen: string[] = []
    await exec.run('printf', ['progress'], { ...quick, onStdout: (text) => seen.push(text) })
    expect(seen.join('')).toBe('progress')
  })
})

describe('exec.spawn', () => {
  it('starts a daemon in its own session, logging to a file, and tells when it ends', async () => {
    const logFile = join(dir, 'log')
    const daemon = await exec.spawn('sh', ['-c', 'echo started; echo oops >&2; exec sleep 60'], { logFile })
    const info = await processes().get(daemon.pid)
    expect(info?.cmdline.join(' ')).toMatch(/sleep 60/)
    const session = (await readFile(`/proc/${daemon.pid}/stat`, 'utf8')).split(' ')[5]
    expect(Number(session)).toBe(daemon.pid)
    await vi.waitFor(async () => expect(await readFile(logFile, 'utf8')).toContain('oops'), { timeout: 30_000 })
    expect(daemon.kill('SIGTERM')).toBe(true)
    expect(await daemon.exited).toEqual({ code: null, signal: 'SIGTERM' })
    expect(daemon.kill()).toBe(false)
    expect(await readFile(logFile, 'utf8')).toContain('started\n')
  })

  it('fails when the program is not there', async () => {
    await expect(exec.spawn('no-such-program', [], { logFile: join(dir, 'log') })).rejects.toMatchObject({
      code: 'host-command-failed',
    })
  })
})

describe('open', () => {
  it('is a stream of bytes, and tells how it ended', async () => {
    const cat = await exec.open('cat', [], {})
    cat.input.end('through')
    let said = ''
    for await (const chunk of cat.output) said += chunk
    expect(said).toBe('through')
    expect(await cat.ended).toEqual({ code: 0, stderr: '' })
    const failing = await exec.open('cat', ['/no/such/file'], {})
    failing.input.write('nobody reads this')
    expect(await failing.ended).toEqual({ code: 1, stderr: expect.stringContaining('No such file') })
    const endless = await exec.open('cat', [], {})
    endless.kill()
    expect(await endless.ended).toEqual({ code: null, stderr: '' })
    await expect(exec.open('no-such-program', [], {})).rejects.toMatchObject({ code: 'host-command-failed' })
  })
})

describe('execInNetns', () => {
  it('runs everything in the one namespace unless a call names another', async () => {
    const asked: (string | undefined)[] = []
    const recording: Exec = {
      async run(_cmd: string, _argv: readonly string[], opts: RunOptions) {
        asked.push(opts.netns)
        return { code: 0, stdout: '', stderr: '' }
      },
      spawn: exec.spawn,
      open(cmd, argv, opts) {
        asked.push(opts.netns)
        return exec.open(cmd, argv, {})
      },
    }
    const inside = execInNetns(recording, 'h1')
    await inside.run('true', [], quick)
    await inside.run('true', [], { ...quick, netns: 'r1' })
    const { input, ended } = await inside.open('cat', [], {})
    input.end()
    expect(await ended).toEqual({ code: 0, stderr: '' })
    expect(asked).toEqual(['h1', 'r1', 'h1'])
  })
})
