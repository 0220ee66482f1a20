/** What a fence has beyond mounts and namespaces, where bubblewrap and the kernel can do it. */

export interface Strengths {
  /** The filter of system calls, as an open file. */
  readonly filter: number | undefined
  /** Commands make no user namespaces. The filter sees to that as well. */
  readonly users: boolean
  /** Mounts are of what was opened and looked at, not of what has its name by then. */
  readonly places: boolean
}

export const none: Strengths = { filter: undefined, users: false, places: false }

/** Why some are not there; an empty text is no reason. */
export type Lacks = { readonly [S in keyof Strengths]?: string }

/** What does not hold without them, for the report. */
export const weaker = ({ filter, users }: Strengths, lacks: Lacks): ReadonlyArray<string> => [
  ...(filter === undefined
    ? [
        "system calls are not filtered: kernel keyrings, io_uring and sockets of every family (to the host of a virtual " +
          `machine among them) are open to commands${because(lacks.filter)}`
      ]
    : []),
  ...(filter === undefined && !users ? [`commands can make user namespaces of their own${because(lacks.users)}`] : []),
  ...(lacks.places === undefined
    ? []
    : [
        "mounts are made by name: who swaps a directory of the scope for a link in that moment has another one " +
          `mounted${because(lacks.places)}`
      ])
]

const because = (why: string | undefined): string => (why === undefined || why === "" ? "" : ` (${why})`)
