/** Commands that reach into a guest: ssh, and what carries it. */
import type { Command } from 'commander'
import type { Run } from './fixed.ts'
import type { Io } from './io.ts'
import { collect, withGlobals } from './program.ts'

const SSH_HELP = `
The network of a guest is reached through its router, over the controller: from any machine that can talk to the site.
  skerry ssh hello                          a shell
  skerry ssh hello -- journalctl -b         a command
  skerry ssh hello --print-config >> ~/.ssh/config, and then: ssh hello, scp file hello:, rsync, git, ansible …
The user is <user>@, --user, or what a user tag ssh-user::NAME on the VM or its image says; else ssh's own choice.`

export function addReaching(program: Command, io: Io, run: Run): void {
  const ssh = withGlobals(
    program
      .command('ssh')
      .description('log in to a VM with ssh, wherever its network is')
      .argument('<vm>', 'name or uuid; or user@name')
      .argument('[command...]', 'behind --: run this instead of a shell')
      .option('-l, --user <name>', 'who')
      .option('-p, --port <port>', 'of its ssh server', '22')
      .option('-i, --identity <path>', 'private key; default: the one of the context, and those of ssh')
      .option('--ssh-arg <arg>', 'handed to ssh as it is, such as --ssh-arg=-L8080:localhost:80; repeated', collect)
      .option('--print-config', 'print a block for ~/.ssh/config instead'),
  ).addHelpText('after', SSH_HELP)
  ssh.action((vm: string, command: string[]) =>
    run(`cannot log in to ${vm}`, async () => (await import('./commands/ssh.ts')).ssh(io, vm, command, ssh.opts())),
  )
  const tunnel = withGlobals(
    program
      .command('tunnel')
      .description("a connection to a VM's TCP port on stdin and stdout (ssh's ProxyCommand)")
      .argument('<vm>', 'name or uuid')
      .argument('<port>')
      .option('--proxy <url>', 'a console proxy other than the controller'),
  )
  tunnel.action((vm: string, port: string) =>
    run(`cannot connect to port ${port} of ${vm}`, async () =>
      (await import('./commands/tunnel.ts')).tunnel(io, vm, port, tunnel.opts()),
    ),
  )
}
