/**
 * Makes a failing list smaller: takes out what it can, then replaces what is left by something simpler, for as long as
 * the list still fails and `budget` tries are left.
 */
export const shrink = async <A>(
  list: ReadonlyArray<A>,
  options: {
    readonly fails: (list: ReadonlyArray<A>) => Promise<boolean>
    readonly simpler: (element: A) => ReadonlyArray<A>
    readonly budget: number
  }
): Promise<ReadonlyArray<A>> => {
  let left = options.budget
  let best = list
  const attempt = async (candidate: ReadonlyArray<A>): Promise<boolean> => {
    if (left <= 0) return false
    left -= 1
    if (!(await options.fails(candidate))) return false
    best = candidate
    return true
  }
  for (;;) {
    const before = best
    for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
      // From the end: what comes last depends on what was before, and rarely the other way round.
      for (let at = best.length - size; at > -size; at -= size) {
        const from = Math.max(0, at)
        await attempt([...best.slice(0, from), ...best.slice(at + size)])
      }
    }
    for (let i = 0; i < best.length; i++) {
      for (const element of options.simpler(best[i] as A)) {
        if (await attempt(best.with(i, element))) break
      }
    }
    if (best === before || left <= 0) return best
  }
}
