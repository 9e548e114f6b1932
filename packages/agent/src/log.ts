/** What agents log with; pino's loggers fit. */
export interface Log {
  info(facts: Record<string, unknown>, message: string): void
  warn(facts: Record<string, unknown>, message: string): void
  error(facts: Record<string, unknown>, message: string): void
  child(facts: Record<string, unknown>): Log
}
