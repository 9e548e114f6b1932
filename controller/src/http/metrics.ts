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
  return {
    observe(route, status, seconds) {
      requests.inc({ route, status: String(status) })
      durations.observe({ route }, seconds)
    },
    text: () => registry.metrics(),
  }
}
