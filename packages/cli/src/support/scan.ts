/** The last look at a bundle before it is written: what has the form of a secret, or is one that is known here, must not be in it. Pure. */

/** Forms that no text of a bundle may have. */
const shapes: Readonly<Record<string, RegExp>> = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  'the seed of a NATS key': /\bS[UAONCX][A-Z2-7]{56}\b/,
  'a session in a header': /\b(OAuth|Bearer)\s+[0-9a-f]{32}\b/i,
  'a JWT': /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/,
  'a sealed value': /\bs1\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{16}\./,
  'the hash of a password': /\bscrypt\$[0-9a-f]{32}\$/,
}

export interface Text {
  name: string
  text: string
}

/** What was found, by the part that holds it; undefined: nothing. `known`: values themselves, as they are and in base64. */
export function findSecret(
  parts: readonly Text[],
  known: ReadonlyMap<string, string>,
): { part: string; what: string } | undefined {
  const values = [...known].flatMap(([value, what]) => [
    { value, what },
    { value: Buffer.from(value).toString('base64').replace(/=+$/, ''), what },
  ])
  for (const { name, text } of parts) {
    for (const [what, shape] of Object.entries(shapes)) if (shape.test(text)) return { part: name, what }
    const found = values.find(({ value }) => text.includes(value))
    if (found) return { part: name, what: found.what }
  }
  return undefined
}
