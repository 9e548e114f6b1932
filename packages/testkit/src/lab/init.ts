/**
 * What runs inside the lab before the job: an initramfs that puts a file system in memory over this machine's own tree, and
 * PID 1, which takes orders through a virtio port. Both are shell, because there is nothing else yet.
 */
import { createHash } from 'node:crypto'

/** Loaded by the initramfs. Everything else loads when it is asked for, from the package's own folder. */
export const MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_blk', 'virtio_net', 'virtio_console'] as const

/** Mount point of the folder that the lab shares with this machine, read and write. */
export const SHARE = '/run/skerry-lab'
/** PID 1, in that folder. */
export const DOOR_FILE = 'door'

/** Tags of the 9p shares. */
export const TAGS = { root: 'root', modules: 'modules', share: 'share' } as const

const P9 = 'trans=virtio,version=9p2000.L,msize=512000'

/** `exec chroot`, not a child: kernel threads share the root of PID 1, so only then does the kernel find modprobe. */
export const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
for module in /modules/*; do insmod $module; done
mount -t 9p -o ${P9},cache=loose,ro ${TAGS.root} /lower
mount -t tmpfs upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /new
mount -t proc proc /new/proc
mount -t sysfs sys /new/sys
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/lib/modules
mount -t devpts pts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
mount -t cgroup2 cgroup /new/sys/fs/cgroup
mount -t tmpfs run /new/run
mkdir -p /new/run/netns /new/run/lock /new${SHARE}
mount -t 9p -o ${P9},cache=loose,ro ${TAGS.modules} /new/lib/modules
mount -t 9p -o ${P9},cache=none,rw ${TAGS.share} /new${SHARE}
exec chroot /new /bin/bash ${SHARE}/${DOOR_FILE}
`

/**
 * Orders are lines: \`run ID\` starts the argv in ID.argv (each word ended by a zero byte) and answers \`ID CODE\` when it has ended;
 * \`off\` syncs and powers off. Reading gives an end of file while nobody is connected outside.
 */
export const DOOR = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C LC_ALL=C
ip link set lo up
ln -s /proc/self/fd /dev/fd
exec 3<>/dev/vport0p1
cd ${SHARE}
start() {
  mapfile -d '' -t argv < $1.argv
  (cd / && exec "\${argv[@]}") <&- 3>&- >$1.out 2>$1.err &
  echo $! >$1.pid
  wait $!
  echo "$1 $?" >&3
}
echo ready >&3
while true; do
  while read -r what id <&3; do
    case $what in
      run) start $id & ;;
      off) sync; echo o >/proc/sysrq-trigger ;;
    esac
  done
  sleep 0.1
done
`

/** Part of the cache's key: another text makes another initramfs. */
export const RECIPE = createHash('sha256')
  .update(JSON.stringify([INIT, MODULES]))
  .digest('hex')
  .slice(0, 12)
