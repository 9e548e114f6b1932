/** For tests of what talks to the controller: its whole HTTP door over an engine that carries out nothing. */
export { batchCalls } from '../calls/batch.ts'
export { zqlCalls } from '../calls/zql.ts'
export { FakeEngine, fakeHttp, type Logged, SESSION, T0, VIEWER_SESSION } from './fake-engine.ts'
export { sample, sampleParams, sampleRow } from './sample.ts'
