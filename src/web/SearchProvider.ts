/** A service that searches the web. Another one is another object of this shape. */
import type * as Effect from "effect/Effect"
import type { FetchError } from "./FetchError.ts"

export interface SearchQuery {
  readonly query: string
  /** Results of one page. */
  readonly limit: number
  /** Pages to skip. */
  readonly page: number
}

export interface SearchHit {
  readonly title: string
  readonly url: string
  /** What the service shows of the page, without markup. */
  readonly snippets: ReadonlyArray<string>
  readonly age: string | undefined
  readonly language: string | undefined
}

export interface SearchPage {
  readonly hits: ReadonlyArray<SearchHit>
  /** The service has another page. */
  readonly more: boolean
}

export interface SearchProvider {
  readonly name: string
  readonly limits: {
    readonly characters: number
    readonly words: number
    readonly perPage: number
    /** The last page that can be asked for, counted from 0. */
    readonly lastPage: number
  }
  readonly search: (query: SearchQuery) => Effect.Effect<SearchPage, FetchError>
}
