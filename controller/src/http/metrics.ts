/** Counts and times of requests, by route template (never by raw path: those hold uuids). */
import { Counter, Histogram, Registry } from 'prom-client'

export interface HttpMetrics {
  observe(route: string, status: number, seconds: number): void
  text(): Promise<string>
}

export function httpMetrics(): HttpMetrics {
  const registry = new Registry()
  const requests = new Counter({
    name: 'skerry_http_requests_total',
    help: 'HTTP requests',
    labelNames: ['route', 'status'],
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'skerry_http_request_seconds',
    help: 'Time until the answer',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  // prom-client hashes labels at each use; the few combinations are looked up once
  const counters = new Map<string, { inc(): void }>()
  const timers = new Map<string, { observe(seconds: number): void }>()
  return {
    observe(route, status, seconds) {
      const key = `${status} ${route}`
      let counter = counters.get(key)
      if (counter === undefined) counters.set(key, (counter = requests.labels({ route, status: String(status) })))
      let timer = timers.get(route)
      if (timer === undefined) timers.set(route, (timer = durations.labels({ route })))
      counter.inc()
      timer.observe(seconds)
    },
    text: () => registry.metrics(),
  }
}
