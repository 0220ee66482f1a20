/** Protocol versions that this build speaks: 1 is the seed protocol, 2 the native one. */
export const protocols = [1, 2] as const
