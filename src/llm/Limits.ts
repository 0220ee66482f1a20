/**
 * How long one model call may take in each of its phases, and how often it is tried again.
 *
 * The names are those of `[model.limits]`. What neither that table nor the catalog says is as here.
 */
import * as Duration from "effect/Duration"

export interface Limits {
  /** From the request to the headers of the answer. A client that reports none is held to it until its first event. */
  readonly header_timeout: Duration.Duration
  /** From the headers to the first event. Keep-alives do not extend it. */
  readonly first_event_timeout: Duration.Duration
  /** Between two signs of life once the answer flows: an event or a keep-alive. */
  readonly idle_timeout: Duration.Duration
  /** Time in which attempts may start. Waits that the server asked for do not count. */
  readonly retry_budget: Duration.Duration
  /** Attempts in all, the first included. */
  readonly max_attempts: number
  /** The longest `Retry-After` that is honoured. */
  readonly max_retry_after: Duration.Duration
  /** Until a connection stands. Kept by the HTTP client, by the clock of the machine. Default 10 seconds. */
  readonly connect_timeout?: Duration.Duration
  /** Between two events, however many keep-alives come. Default 10 minutes, and never less than `idle_timeout`. */
  readonly stall_timeout?: Duration.Duration
  /** One answer, with all its attempts, waits and continuations. Default 1 hour. */
  readonly total_timeout?: Duration.Duration
  /** The first back-off is drawn from [0, this]; each further one from twice as much. Default 500 ms. */
  readonly backoff_base?: Duration.Duration
  /** No back-off is longer. Default 10 seconds. */
  readonly backoff_cap?: Duration.Duration
}

export const defaultLimits: Required<Limits> = {
  header_timeout: Duration.seconds(20),
  first_event_timeout: Duration.seconds(30),
  idle_timeout: Duration.seconds(90),
  retry_budget: Duration.seconds(40),
  max_attempts: 4,
  max_retry_after: Duration.minutes(5),
  connect_timeout: Duration.seconds(10),
  stall_timeout: Duration.minutes(10),
  total_timeout: Duration.hours(1),
  backoff_base: Duration.millis(500),
  backoff_cap: Duration.seconds(10)
}
