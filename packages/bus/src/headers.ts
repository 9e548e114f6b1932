/** [format] Header names on the wire (DESIGN §7). Header values are text without line breaks. */
/** Deduplication id of a fact or a commit: JetStream's own name. */
export const MSG_ID = 'Nats-Msg-Id'
/** W3C trace context. */
export const TRACE_PARENT = 'traceparent'
/** Remaining milliseconds when the request was sent; the receiver counts them down on its own monotonic clock. */
export const DEADLINE = 'Skerry-Deadline'
/** Epoch of the owner that sends: receivers refuse an older one than they know. */
export const EPOCH = 'Skerry-Epoch'
/** Account uuid, `system` or `agent:<uuid>`. */
export const ACTOR = 'Skerry-Actor'
export const JOB = 'Skerry-Job'
/** Command id of a verb: a repeat gets the first result. */
export const COMMAND = 'Skerry-Command'
/** On a reply: the body is an `ErrorBody` with this code. */
export const ERROR = 'Skerry-Error'
