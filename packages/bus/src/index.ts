export type { Bus, BusState, GatheringBus, Msg, RequestOptions, ServeStats, Subscription } from './bus.ts'
export { createCa, issueServerCert, type KeyedCertificate, type ServerNames } from './ca.ts'
export type { ConnectionOptions } from './connection.ts'
export { type AgentIdentity, agentServiceName, rightsOf, type UserIdentity, type UserKind } from './credentials/rights.ts'
export {
  type ConfBlock,
  type ConfValue,
  renderConf,
  type ServerConfigOptions,
  serverConfig,
  serverSettings,
} from './credentials/server-config.ts'
export { createSite, JETSTREAM_LIMITS, type NatsIdentity, type Site } from './credentials/site.ts'
export { credsFile, type IssuedUser, type IssueUserOptions, inboxOfCreds, issueUser } from './credentials/user.ts'
export { MAX_PAYLOAD_BYTES } from './envelope.ts'
export * as busHeaders from './headers.ts'
export { type MemoryBroker, type MemoryBrokerOptions, type MemoryBus, memoryBroker, type Rights } from './memory.ts'
export { type ConnectNatsOptions, connectNats, type NatsCredentials } from './nats.ts'
export { announceService, discoverServices, type ServiceDescription, type ServiceEndpoint, serviceSubjects } from './services.ts'
export { checkPattern, checkSubject, covers } from './subject.ts'
export { realTimers, type Timers } from './timers.ts'
