/** A kernel of some fifty bytes: enters 32-bit protected mode by the Multiboot protocol and prints a text on the first serial port. */
export function multibootKernel(text: string): Buffer {
  const base = 0x100000
  const headerBytes = 32
  const code = Buffer.from([
    ...[0xbe, 0, 0, 0, 0], // mov esi, text
    0xac, // next: lodsb
    ...[0x84, 0xc0], // test al, al
    ...[0x74, 0x07], // jz end
    ...[0x66, 0xba, 0xf8, 0x03], // mov dx, 0x3f8
    0xee, // out dx, al
    ...[0xeb, 0xf4], // jmp next
    ...[0xf4, 0xeb, 0xfd], // end: hlt; jmp end
  ])
  code.writeUInt32LE(base + headerBytes + code.length, 1)
  const body = Buffer.concat([code, Buffer.from(`${text}\0`, 'latin1')])
  const end = base + headerBytes + body.length
  const magic = 0x1badb002
  const useAddresses = 0x00010000
  const header = Buffer.alloc(headerBytes)
  const fields = [magic, useAddresses, -(magic + useAddresses) >>> 0, base, base, end, end, base + headerBytes]
  fields.forEach((field, i) => {
    header.writeUInt32LE(field, i * 4)
  })
  return Buffer.concat([header, body])
}
