/** The readable part of a web page. Pages are hostile input: the work is done where it can be ended from outside. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class PageError extends Schema.TaggedError<PageError>()("PageError", {
  reason: Schema.Literals(["TooSlow", "TooLarge", "Unreadable"]),
  message: Schema.String
}) {}

export interface ReadablePage {
  readonly title: string | undefined
  /** Of the article if the page has one, else of the whole body. */
  readonly markdown: string
}

export class PageReader extends Context.Service<
  PageReader,
  {
    /** `url` is what relative links are relative to. */
    readonly read: (html: string, url: string) => Effect.Effect<ReadablePage, PageError>
  }
>()("effect-pod/runtime/PageReader") {}
