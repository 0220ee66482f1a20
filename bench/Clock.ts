/** Time for measurements, and limits on waiting. */

/** Milliseconds of the clock that all processes of a machine share. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** How long anything may take before the measurement counts as failed. */
export const patience = 15_000

/** Rejects with what was waited for when that does not come in time. */
export const within = <A>(promise: Promise<A>, what: () => string, ms: number = patience): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()}: nothing for ${ms / 1000} s`)), ms)
  })
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer))
}
