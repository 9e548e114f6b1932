/** The commands that keep a site over the loss of a machine: backup, restore, pointing agents at a controller that moved. */
import type { Command } from 'commander'
import type { Run } from './fixed.ts'
import type { Io } from './io.ts'

const STATE_DIR = 'state folder of the site (SKERRY_STATE_DIR; /var/lib/skerry)'
const PASSPHRASE = 'its first line opens the backup (SKERRY_BACKUP_PASSPHRASE_FILE)'
const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function addKeeping(program: Command, io: Io, run: Run): void {
  const backup = program
    .command('backup')
    .description('write everything that another machine needs to become this controller; it goes on meanwhile')
    .argument('[file]', 'default: skerry-<time>.backup')
    .option('--context <name>')
    .option('--state-dir <path>', STATE_DIR)
    .option('--passphrase-file <path>', PASSPHRASE)
    .option('--without-keys', "leave the site's keys out: a restore then needs them in place")
  backup.action((file: string | undefined) =>
    run('cannot make a backup', async () => (await import('./commands/backup.ts')).backup(io, file, backup.opts())),
  )
  const verify = backup
    .command('verify')
    .description('read a backup from end to end and check all of it; changes nothing')
    .argument('<file>')
    .option('--passphrase-file <path>', PASSPHRASE)
  verify.action((file: string) =>
    run(`cannot verify ${file}`, async () => (await import('./commands/backup.ts')).verify(io, file, verify.optsWithGlobals())),
  )
  const restore = program
    .command('restore')
    .description('make a backup the state of the controller here, which must not be running')
    .argument('<file>')
    .option('--state-dir <path>', STATE_DIR)
    .option('--passphrase-file <path>', PASSPHRASE)
    .option('--replace', 'keep what is there beside, and take its place')
  restore.action((file: string) =>
    run(`cannot restore ${file}`, async () => (await import('./commands/restore.ts')).restore(io, file, restore.opts())),
  )
  const agent = program.commands.find((command) => command.name() === 'agent')
  const point = (agent ?? program)
    .command('point')
    .description('tell the agents of this machine where NATS is, after the controller has moved')
    .requiredOption('--nats <url>', 'tls://address:port; repeated: they are tried in turn', collect)
    .option('--ca <path>', "PEM file, when the site's CA is another one now")
    .option('--state-dir <path>', `${STATE_DIR}, or of one agent`)
  point.action(() => run('cannot point the agents', async () => (await import('./commands/point.ts')).point(io, point.opts())))
}
