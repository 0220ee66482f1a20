/**
 * Log records on stderr, for people or as one JSON object per line. stdout is never touched.
 *
 * Annotations and spans are part of a record; a secret cannot be one, because keys are `Redacted` where they are read.
 */
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type { Flags } from "./Args.ts"

const levels: Readonly<Record<string, LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  none: "None"
}

export const levelOf = (flags: Flags, fallback: LogLevel.LogLevel): LogLevel.LogLevel =>
  levels[String(flags["log-level"])] ?? fallback

type Options = Logger.Options<unknown>

const write = (format: (options: Options) => string) =>
  Logger.make<unknown, void>((options) => {
    process.stderr.write(`${format(options)}\n`)
  })

const textOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part: unknown) => (typeof part === "string" ? part : (JSON.stringify(part) ?? String(part))))
    .join(" ")

const annotationsOf = (options: Options): Readonly<Record<string, unknown>> =>
  options.fiber.getRef(References.CurrentLogAnnotations)

const causeOf = (options: Options): string => (options.cause.reasons.length === 0 ? "" : Cause.pretty(options.cause))

export const formatPretty = (options: Options): string => {
  const annotations = Object.entries(annotationsOf(options))
    .map(([key, value]) => ` ${key}=${textOf(value)}`)
    .join("")
  const cause = causeOf(options)
  const head = `${options.date.toISOString().slice(11, 23)} ${options.logLevel.toLowerCase()} ${textOf(options.message)}`
  return `${head}${annotations}${cause === "" ? "" : `\n${cause}`}`
}

export const formatJson = (options: Options): string => {
  const cause = causeOf(options)
  return JSON.stringify({
    ts: options.date.toISOString(),
    level: options.logLevel.toLowerCase(),
    message: textOf(options.message),
    ...annotationsOf(options),
    ...(cause === "" ? {} : { cause })
  })
}

const pretty = write(formatPretty)
const json = write(formatJson)

export const layer = (level: LogLevel.LogLevel, format: "pretty" | "json"): Layer.Layer<never> =>
  Layer.merge(Logger.layer([format === "json" ? json : pretty]), Layer.succeed(References.MinimumLogLevel, level))
