/**
 * What is inside the guest: busybox, a few kernel modules, and these scripts. The guest is nobody's demo: it takes its
 * address and name from DHCP, answers over HTTP, has a shell on the serial console and obeys the power button.
 */
import type { CpioEntry } from './cpio.ts'

/** In the order in which they load: each after those it needs. */
export const MODULES = [
  'virtio_ring',
  'virtio',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio_pci',
  'failover',
  'net_failover',
  'virtio_net',
  'virtio_blk',
  // the disk on which the host says who the guest is
  'fat',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'evdev',
  'button',
  // tells the host of a panic
  'pvpanic',
  'pvpanic-mmio',
] as const

/** For its CD drive: loaded by whoever wants it, because most guests have nothing in it. */
export const CD_MODULES = ['scsi_common', 'scsi_mod', 'virtio_scsi', 'cdrom', 'sr_mod'] as const

/** Printed on the console when the guest's services run; a lease prints LEASE_LINE, the interface and the address. */
export const READY_LINE = 'SKERRY-GUEST-READY'
export const LEASE_LINE = 'SKERRY-GUEST-LEASE'
/** Printed for each line of what the host tells at the boot, behind the name of its file; of user data only the SHA-256. */
export const SEED_LINE = 'SKERRY-GUEST-SEED'

const DEFAULT_NAME = 'skerry-guest'

const SCRIPTS: Record<string, string> = {
  init: `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${MODULES.join(' ')}; do insmod /modules/$module.ko; done
hostname ${DEFAULT_NAME}
/etc/seed
/etc/page
ip link set lo up
exec /bin/busybox init
`,
  // busybox init starts these and starts them again when they end
  'etc/inittab': `::once:/etc/ready
ttyS0::respawn:-/bin/sh
::respawn:/bin/httpd -f -p 80 -h /www
::respawn:/bin/acpid -d -c /etc/acpi
::respawn:/etc/dhcp eth0
::respawn:/etc/dhcp eth1
::ctrlaltdel:/bin/reboot -f
`,
  // cloud-init's NoCloud, as far as a guest of this size needs it: its name, until DHCP gives another
  'etc/seed': `#!/bin/sh
for disk in /dev/vd?; do
  mount -t vfat -o ro "$disk" /seed 2>/dev/null || continue
  if [ -e /seed/meta-data ]; then
    for file in meta-data network-config; do sed "s/^/${SEED_LINE} $file /" "/seed/$file"; done
    echo "${SEED_LINE} user-data $(sha256sum </seed/user-data | cut -d ' ' -f 1)"
    name=$(sed -n 's/^local-hostname: *//p' /seed/meta-data)
    [ -n "$name" ] && hostname "$name"
  fi
  umount /seed
done >/dev/console
`,
  // ready means that the power button is heard: acpid holds its device open (a machine without one is ready after 10 s all the same)
  'etc/ready': `#!/bin/sh
tries=100
until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q /dev/input/event || [ $((tries -= 1)) -le 0 ]; do usleep 100000; done
echo "${READY_LINE} $(hostname)" >/dev/console
`,
  'etc/profile': `export PATH=/bin HOME=/root PS1='\\h:\\w# '
cd /root
`,
  // ash takes the home of its prompt's ~ from here
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
  'etc/page': `#!/bin/sh
echo "hello from $(hostname)" >/www/index.html.new
mv /www/index.html.new /www/index.html
`,
  'etc/dhcp': `#!/bin/sh
until [ -e "/sys/class/net/$1" ]; do sleep 1; done
ip link set "$1" up
exec udhcpc -f -i "$1" -t 5 -T 1 -A 1 -O mtu -O staticroutes -s /etc/lease >/dev/null 2>&1
`,
  'etc/lease': `#!/bin/sh
# udhcpc's events: routes and names are written anew on each, so that a changed offer takes effect at renewal
case "$1" in
deconfig)
  ip -4 addr flush dev "$interface"
  ;;
bound | renew)
  # before the address: who reads the page reads its name
  if [ -n "$hostname" ] && [ "$hostname" != "$(hostname)" ]; then
    hostname "$hostname"
    /etc/page
  fi
  if ! ip -4 addr show dev "$interface" | grep -q "inet $ip/$mask "; then
    ip -4 addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    echo "${LEASE_LINE} $interface $ip" >/dev/console
  fi
  [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
  # RFC 3442: who gets classless routes ignores the router
  if [ -n "$staticroutes" ]; then
    set -- $staticroutes
    while [ -n "$2" ]; do
      ip route replace "$1" via "$2" dev "$interface"
      shift 2
    done
  else
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface" && break; done
  fi
  : >/etc/resolv.conf.new
  [ -n "$domain" ] && echo "search $domain" >>/etc/resolv.conf.new
  for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf.new; done
  mv /etc/resolv.conf.new /etc/resolv.conf
  ;;
esac
exit 0
`,
  // where busybox acpid looks for the power button's action; all is in memory, so there is nothing to wait for
  'etc/acpi/PWRF/00000080': `#!/bin/sh
echo "power button: off" >/dev/console
sync
poweroff -f
`,
  'www/cgi-bin/uptime': `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
cat /proc/uptime
`,
  // can the guest reach out? only a number and a port, so that it is no proxy for arbitrary text
  'www/cgi-bin/get': `#!/bin/sh
case "$QUERY_STRING" in
'' | *[!0-9.:]* | *:*:*)
  printf 'Status: 400 Bad Request\\r\\nContent-Type: text/plain\\r\\n\\r\\nask for ?ADDRESS:PORT\\n'
  exit 0
  ;;
esac
# timeout, not wget's own -T: this busybox has it left out and crashes on it
if body=$(timeout 5 wget -q -O - "http://$QUERY_STRING/" 2>&1); then
  printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "$body"
else
  printf 'Status: 502 Bad Gateway\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s\\n' "$body"
fi
`,
}

const PLAIN = new Set(['etc/inittab', 'etc/profile', 'etc/passwd', 'etc/group'])
const FOLDERS = [
  'bin',
  'dev',
  'etc',
  'etc/acpi',
  'etc/acpi/PWRF',
  'modules',
  'proc',
  'root',
  'run',
  'seed',
  'sys',
  'tmp',
  'var',
  'www',
  'www/cgi-bin',
]

/** All text of the guest: a change here makes a new image. */
export const guestTexts = (): string => JSON.stringify([MODULES, CD_MODULES, FOLDERS, SCRIPTS])

/** The initramfs' entries. `modules`: file bytes by module name. */
export function rootfs(parts: { busybox: Uint8Array; modules: ReadonlyMap<string, Uint8Array> }): CpioEntry[] {
  const file = (path: string, bytes: Uint8Array, mode: number): CpioEntry => ({ path, mode, content: { kind: 'file', bytes } })
  return [
    ...FOLDERS.map((path): CpioEntry => ({ path, mode: path === 'tmp' ? 0o1777 : 0o755, content: { kind: 'folder' } })),
    // the kernel opens it for the first program, before devtmpfs is there
    { path: 'dev/console', mode: 0o600, content: { kind: 'device', major: 5, minor: 1 } },
    { path: 'etc/mtab', mode: 0o777, content: { kind: 'link', to: '/proc/mounts' } },
    file('bin/busybox', parts.busybox, 0o755),
    { path: 'bin/sh', mode: 0o777, content: { kind: 'link', to: 'busybox' } },
    ...[...parts.modules].map(([name, bytes]) => file(`modules/${name}.ko`, bytes, 0o644)),
    ...Object.entries(SCRIPTS).map(([path, text]) => file(path, Buffer.from(text), PLAIN.has(path) ? 0o644 : 0o755)),
  ]
}
