/** What routers of every kind tell their guests. */

/** A day: long enough that a guest keeps its address over any outage of the router worth speaking of. */
export const LEASE_SECONDS = 86_400
/** Where guests ask for their metadata: clients that are told no route ask their gateway for it. */
export const METADATA_ROUTE = '169.254.169.254/32'
