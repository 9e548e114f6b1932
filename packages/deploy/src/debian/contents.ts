/** What is inside the Debian guest, beside its packages: what boots it, and what cloud-init is to do. Pure. */
import type { AptSource } from './sources.ts'

/** Of Debian 12: that is what this is written for, and what hosts run. */
export const SUITE = 'bookworm'
/** Whom cloud-init makes, and gives the keys to. */
export const DEBIAN_USER = 'debian'
export const LABEL = 'skerry-root'

/** Chosen for a guest that is small and at home with cloud-init's NoCloud. */
export const PACKAGES = [
  'linux-image-cloud-amd64',
  'initramfs-tools',
  'zstd',
  // only its modules: the boot sector is written from outside
  'grub-pc-bin',
  'grub-common',
  'systemd-sysv',
  'systemd-resolved',
  'libnss-resolve',
  'udev',
  'dbus',
  'cloud-init',
  // cloud-init reads keys and certificates with it, and fails without; it is only recommended
  'python3-cffi-backend',
  'cloud-guest-utils',
  'openssh-server',
  'sudo',
  'iproute2',
  'iputils-ping',
  'netbase',
  'ca-certificates',
  'less',
  'nano',
] as const

/** What nobody reads in a guest of this kind; licences stay. */
export const LEFT_OUT = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/doc/*'] as const
export const KEPT = ['/usr/share/doc/*/copyright', '/usr/share/locale/locale.alias'] as const

export const GRUB_MODULES = [
  'biosdisk',
  'part_msdos',
  'ext2',
  'normal',
  'configfile',
  'linux',
  'serial',
  'terminal',
  'echo',
  'gzio',
]
export const GRUB_PREFIX = '(hd0,msdos1)/boot/grub'
export const GRUB_EARLY = `set root=(hd0,msdos1)
set prefix=${GRUB_PREFIX}
configfile /boot/grub/grub.cfg
`
const CLOUD_CFG = `# Told by a disk of the host, else nothing is waited for.
datasource_list: [NoCloud, None]
disable_ec2_metadata: true
ssh_genkeytypes: [ed25519]
locale: false
apt_preserve_sources_list: true
system_info:
  default_user:
    name: ${DEBIAN_USER}
    gecos: Debian
    lock_passwd: true
    shell: /bin/bash
    groups: [adm, sudo]
    sudo: ['ALL=(ALL) NOPASSWD:ALL']
  network:
    renderers: [networkd]
cloud_init_modules: [seed_random, bootcmd, write-files, growpart, resizefs, set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [keyboard, locale, set-passwords, ntp, timezone, runcmd]
cloud_final_modules: [package-update-upgrade-install, write-files-deferred, scripts-vendor, scripts-per-once, scripts-per-boot, scripts-per-instance, scripts-user, ssh-authkey-fingerprints, final-message, power-state-change]
`

/** Kernels that come by upgrades are followed by their links: nothing has to be written anew. */
const GRUB_CFG = `serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=0
linux /vmlinuz root=LABEL=${LABEL} ro console=tty0 console=ttyS0,115200 net.ifnames=0 panic=5
initrd /initrd.img
boot
`

/** Work that a fresh guest would begin with, and that nobody waits for. */
const MASKED = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
]

/** Absolute paths in the guest, with their texts. */
export const filesOf = (sources: readonly AptSource[]): Record<string, string> => ({
  '/boot/grub/grub.cfg': GRUB_CFG,
  '/etc/fstab': `LABEL=${LABEL} / ext4 rw,discard,errors=remount-ro 0 1\n`,
  '/etc/cloud/cloud.cfg.d/90-skerry.cfg': CLOUD_CFG,
  '/etc/hostname': 'debian\n',
  // made anew at the first boot, each guest its own
  '/etc/machine-id': '',
  '/etc/apt/sources.list': sources.map(({ line, secret }) => (secret ? '' : `${line}\n`)).join(''),
  '/etc/apt/apt.conf.d/80skerry': 'APT::Install-Recommends "false";\n',
})

/** Below the guest's root. Keys and caches of the build must be in no guest. */
export const REMOVED = [
  '/etc/apt/sources.list.d/0000debian.sources',
  '/etc/apt/sources.list.d/0000main.list',
  '/etc/ssh/ssh_host_ecdsa_key',
  '/etc/ssh/ssh_host_ecdsa_key.pub',
  '/etc/ssh/ssh_host_ed25519_key',
  '/etc/ssh/ssh_host_ed25519_key.pub',
  '/etc/ssh/ssh_host_rsa_key',
  '/etc/ssh/ssh_host_rsa_key.pub',
  '/var/lib/dbus/machine-id',
  '/initrd.img.old',
  '/vmlinuz.old',
]

/** Commands in the new root, in order. */
export const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ['systemctl', 'mask', ...MASKED],
  ['systemctl', 'enable', 'systemd-networkd.service', 'systemd-resolved.service', 'ssh.service'],
]
/**
 * In place before the kernel's package makes its first root disk. What that needs is listed, not guessed from the machine that the
 * guest is built on.
 */
export const EARLY_FILES: Record<string, string> = {
  '/etc/initramfs-tools/conf.d/skerry': 'MODULES=list\nCOMPRESS=zstd\n',
  '/usr/share/initramfs-tools/modules.d/skerry': [
    'virtio_pci',
    'virtio_blk',
    'virtio_scsi',
    'sd_mod',
    'ext4',
    'crc32c_generic',
    '',
  ].join('\n'),
}
