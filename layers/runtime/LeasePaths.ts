/** Where the locks of a pod are. A pod's name has no leading dot, so nothing here meets a pod's own directory. */
import * as Path from "node:path"

export const runtimeLocks = (runtimeDir: string): string => Path.join(runtimeDir, ".locks")

const suffix = ".lock"

export const runtimeLock = (runtimeDir: string, podName: string): string =>
  Path.join(runtimeLocks(runtimeDir), `${podName}${suffix}`)

/** The name of the pod whose lock this file of `.locks` is. */
export const podOfLock = (file: string): string | undefined =>
  file.endsWith(suffix) && !file.startsWith(".") ? file.slice(0, -suffix.length) : undefined

export const dataLocks = (dataDir: string): string => Path.join(dataDir, "locks")

export const podLock = (dataDir: string, podName: string): string =>
  Path.join(dataLocks(dataDir), `pod-${podName}.lock`)

export const sessionLock = (dataDir: string, sessionId: string): string =>
  Path.join(dataLocks(dataDir), `session-${sessionId}.lock`)

export const scopesFile = (runtimeDir: string): string => Path.join(runtimeDir, "scopes.json")

export const scopesLock = (runtimeDir: string): string => Path.join(runtimeLocks(runtimeDir), ".scopes.lock")
