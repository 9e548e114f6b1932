/** A command line as bash hands it over, split into words; and words as bash wants them back. Pure. */

/** Words of a line up to the cursor, quotes and backslashes taken away; the last one is being typed, and may be empty. */
export function wordsOf(line: string): string[] {
  const words: string[] = []
  let word = ''
  let begun = false
  let quote = ''
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (quote === "'" ? c === quote : quote !== '' && c === quote) quote = ''
    else if (c === '\\' && quote !== "'" && i + 1 < line.length) word += line[++i]
    else if (quote === '' && (c === '"' || c === "'")) {
      quote = c
      begun = true
    } else if (quote === '' && /\s/.test(c)) {
      if (begun || word !== '') words.push(word)
      word = ''
      begun = false
    } else word += c
  }
  return [...words, word]
}

/** A name may hold spaces, quotes and parentheses. */
const escaped = (text: string) => text.replace(/[^A-Za-z0-9_./:=@%+,~-]/g, '\\$&')

/** What bash puts in place of the piece that it thinks is being typed: it breaks words at `=` and `:`, and we don't. */
export function forBash(value: string, typed: string, breaks: string): string {
  const last = Math.max(...['=', ':'].filter((c) => breaks.includes(c)).map((c) => typed.lastIndexOf(c)), -1)
  return escaped(value.slice(last + 1))
}
