/** Bounds that tools share. What a manifest may change is given to `builtin`. */

/** Larger files are shown by window and changed by other means: a change needs the whole content in memory. */
export const maxFileBytes = 16 * 1024 * 1024

/** Default for the bulk of one result, in bytes: below the cap of the turn loop, so that tools cut at better places. */
export const defaultContentBytes = 60 * 1024
