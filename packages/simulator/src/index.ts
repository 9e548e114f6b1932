/** A site without a hypervisor: simulated machines with the real agents on them. */
export { ORDINARY } from './behaviour.ts'
export { type DoorPorts, type OpenDoor, openDoor } from './http.ts'
export { Simulator, type SimulatorPorts } from './simulator.ts'
