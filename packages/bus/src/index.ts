export {
  Answer,
  type Bus,
  type BusState,
  type GatheringBus,
  type Msg,
  type RequestOptions,
  type ServeOptions,
  type ServeStats,
  type Subscription,
} from './bus.ts'
export { createCa, issueServerCert, type KeyedCertificate, type ServerNames } from './ca.ts'
export type { ConnectionOptions, RetiringBus } from './connection.ts'
export { createUserKeys } from './credentials/native-keys.ts'
export {
  type AgentIdentity,
  agentServiceName,
  type KeyedKind,
  rightsOf,
  type UserIdentity,
  type UserKind,
} from './credentials/rights.ts'
export {
  type ConfBlock,
  type ConfValue,
  renderConf,
  resolverFile,
  type ServerConfigOptions,
  serverConfig,
  serverSettings,
} from './credentials/server-config.ts'
export {
  type AccountClaims,
  accountJwt,
  createSigningKey,
  createSite,
  JETSTREAM_LIMITS,
  type NatsIdentity,
  type SigningKey,
  type Site,
} from './credentials/site.ts'
export { type UpdateAccountOptions, updateAccount } from './credentials/update-account.ts'
export { credsFile, type IssuedUser, type IssueUserOptions, inboxOfCreds, issueUser, signerOfCreds } from './credentials/user.ts'
export { MAX_PAYLOAD_BYTES } from './envelope.ts'
export * as busHeaders from './headers.ts'
export { type MemoryBroker, type MemoryBrokerOptions, type MemoryBus, memoryBroker, type Rights } from './memory.ts'
export { type ConnectNatsOptions, connectNats, connectNatsLater, type NatsCredentials, reconnectDelays } from './nats.ts'
export { announceService, discoverServices, type ServiceDescription, type ServiceEndpoint, serviceSubjects } from './services.ts'
export { checkPattern, checkSubject, covers } from './subject.ts'
export { SwitchingBus } from './switching.ts'
export { realTimers, type Timers } from './timers.ts'
