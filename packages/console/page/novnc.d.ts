/** What the page uses of noVNC, which brings no types (its docs/API.md). */
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: string | WebSocket, options?: { shared?: boolean; wsProtocols?: string[] })
    scaleViewport: boolean
    focusOnClick: boolean
    sendCtrlAltDel(): void
    focus(): void
    disconnect(): void
  }
}
