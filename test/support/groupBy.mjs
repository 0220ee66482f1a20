/**
 * Preloaded into the vitest process (`node --import`): vitest 5 groups failures with `Map.groupBy` and snapshots with
 * `Object.groupBy`, which Node 20 does not have, so that any failing test would end in a crash of the reporter.
 * It is not passed by NODE_OPTIONS, which would leak into every process that a test starts.
 */
const group = (items, keyOf, into) => {
  let index = 0
  for (const item of items) into(keyOf(item, index++), item)
}

Map.groupBy ??= (items, keyOf) => {
  const groups = new Map()
  group(items, keyOf, (key, item) => {
    const known = groups.get(key)
    if (known === undefined) groups.set(key, [item])
    else known.push(item)
  })
  return groups
}

Object.groupBy ??= (items, keyOf) => {
  const groups = Object.create(null)
  group(items, keyOf, (key, item) => {
    const known = groups[key]
    if (known === undefined) groups[key] = [item]
    else known.push(item)
  })
  return groups
}
