/** The guest's disk: a boot sector, one FAT16 partition with syslinux on it. Pure; sizes in sectors of 512 bytes. */

export const SECTOR = 512
/** At 1 MiB, as every partitioner does. */
export const PARTITION_START = 2048
/** 40 MiB: kernel and initramfs with room to spare, and more than the 4085 clusters of 2 KiB below which it would be FAT12. */
export const DISK_SECTORS = 81_920
export const PARTITION_SECTORS = DISK_SECTORS - PARTITION_START
export const PARTITION_OFFSET = PARTITION_START * SECTOR

export const PARTITION_KINDS = { fat16: 0x0e, linux: 0x83 } as const
const ACTIVE = 0x80
/** Of the disk, little-endian: the letters SKRY. */
const SIGNATURE = 0x59524b53

/** The first sector: `code` (of a boot loader, at most 440 bytes), then one active partition. */
export function masterBootRecord(
  code: Uint8Array,
  { kind, sectors }: { kind: keyof typeof PARTITION_KINDS; sectors: number } = { kind: 'fat16', sectors: PARTITION_SECTORS },
): Uint8Array {
  if (code.length > 440) throw new RangeError(`boot code of ${code.length} bytes does not fit into 440`)
  const sector = new Uint8Array(SECTOR)
  const view = new DataView(sector.buffer)
  sector.set(code)
  view.setUint32(440, SIGNATURE, true)
  // Cylinder/head/sector 1023/254/63: "too large for this, use the sector numbers"
  sector.set([ACTIVE, 0xfe, 0xff, 0xff, PARTITION_KINDS[kind], 0xfe, 0xff, 0xff], 446)
  view.setUint32(454, PARTITION_START, true)
  view.setUint32(458, sectors, true)
  sector.set([0x55, 0xaa], 510)
  return sector
}

/** syslinux.cfg: boot at once; both kernel and a person at the serial port see everything. */
export const SYSLINUX_CFG = `SERIAL 0 115200
DEFAULT skerry
PROMPT 0
TIMEOUT 0
LABEL skerry
  KERNEL /vmlinuz
  INITRD /initrd
  APPEND console=tty0 console=ttyS0,115200 quiet panic=5 net.ifnames=0 random.trust_cpu=on
`
