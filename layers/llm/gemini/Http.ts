/**
 * The one HTTP request of an attempt, made for the SDK.
 *
 * The SDK hands out no response: it reads the body by itself, without bounds and blind to keep-alives, and drops the
 * headers of an error. So the response is kept here, and an error is thrown with all that it says.
 */
import { array, object, string } from "../vendor/Json.ts"

/** What `Failure.whileOpening` reads of an error. */
export class HttpError extends Error {
  readonly status: number
  readonly headers: Headers
  /** The body, if it is JSON. */
  readonly error: unknown

  constructor(status: number, headers: Headers, body: string) {
    super(body)
    this.status = status
    this.headers = headers
    this.error = parse(body)
  }
}

/** An error says no more than this, and a gateway's page may be endless. */
const maxErrorBody = 64 * 1024

export const errorOf = async (response: Response): Promise<HttpError> => {
  const body = await beginning(response)
  const headers = new Headers(response.headers)
  const delay = retryDelay(parse(body))
  if (delay !== undefined && !headers.has("retry-after")) headers.set("retry-after", delay)
  return new HttpError(response.status, headers, body)
}

const beginning = async (response: Response): Promise<string> => {
  const text = new TextDecoder()
  let out = ""
  try {
    for await (const bytes of response.body ?? []) {
      out += text.decode(bytes, { stream: true })
      if (out.length >= maxErrorBody) break
    }
  } catch {
    // The connection broke: the status is known, and what came of the words.
  }
  return out.slice(0, maxErrorBody)
}

/** Google says in the body how long to wait, as in `"34.5s"`: a `RetryInfo` among the error's details. */
const retryDelay = (body: unknown): string | undefined => {
  for (const detail of array(object(object(body)["error"])["details"])) {
    const seconds = /^(\d+(?:\.\d+)?)s$/.exec(string(object(detail)["retryDelay"]))?.[1]
    if (seconds !== undefined) return seconds
  }
  return undefined
}

/** A list of one error is an error too. */
const parse = (body: string): unknown => {
  try {
    const value: unknown = JSON.parse(body)
    return Array.isArray(value) ? value[0] : value
  } catch {
    return undefined
  }
}
