/** What a suite needs from the machine: without it the suite says so aloud and is skipped; in CI that is a failure. */
export function requireOrSkip(what: string, present: boolean): boolean {
  if (present) return true
  if (process.env['CI']) throw new Error(`this suite needs ${what}, and in CI a skip is a failure`)
  console.warn(`SKIPPED: this suite needs ${what}`)
  return false
}
