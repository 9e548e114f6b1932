/** Noun `bridge`: what of it runs without an agent around it. */
export { applyBridge } from './apply.ts'
export { type BridgePorts, observeBridges } from './observe.ts'
export { planBridges } from './plan.ts'
