/** How an error of the table is written. zstack codes: zstack-core §1.7. */
export type Retry = 'never' | 'later' | 'bug'
export interface ErrorSpec {
  readonly zstack: string
  readonly status: number
  readonly retry: Retry
  readonly title: string
  readonly hint?: string
}
/** ZStack's code, status, retry, title, hint. */
export const e = (...[zstack, status, retry, title, hint]: [string, number, Retry, string, string?]): ErrorSpec => ({
  zstack,
  status,
  retry,
  title,
  ...(hint ? { hint } : {}),
})
