/** The machine in memory of the simulator, which tests of the whole site stand on. */
export { AGENT_KINDS, type FakeMachine, type FakeMachineOptions, startFakeMachine } from '@skerry/simulator/machine'
