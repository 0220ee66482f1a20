/** Holding a pod's lease for a command that changes what is stored: no pod of that name starts or runs meanwhile. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as LeaseLive from "../../layers/runtime/Lease.ts"
import { Lease } from "../runtime/Lease.ts"
import type { CliError } from "./CliError.ts"
import { leaseError } from "./Failures.ts"
import type { Machine } from "./Machine.ts"

/** Until the Scope closes. Fails with exit code 4 if the pod is live, or if its session is. */
export const hold = (
  { directories }: Machine,
  podName: string,
  sessionId: string
): Effect.Effect<void, CliError, Scope.Scope> =>
  Layer.build(LeaseLive.layer({ dataDir: directories.data, runtimeDir: directories.runtime })).pipe(
    Effect.flatMap((context) =>
      Effect.provideContext(
        Effect.flatMap(Lease, (lease) => lease.acquire({ podName, sessionId, socket: null })),
        context
      )
    ),
    Effect.asVoid,
    Effect.mapError(leaseError)
  )
