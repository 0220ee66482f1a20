/** How one sees that a request does not fit: vendors have no common code for it. */

/** What vendors and compatible servers say when a request does not fit the context window. */
const overflowWords = [
  /context_length_exceeded|exceed_context_size|request_too_large|model_context_window_exceeded/,
  /prompt is too long/i,
  /input is too long/i,
  /maximum (context|prompt) length/i,
  /exceeds? (the |this |its )?(model'?s? )?(available |maximum |max )?context (window|length|size|limit)/i,
  /exceeds? the (maximum|available) (number of )?(input )?tokens/i,
  /reduce the length of the (messages|prompt|input)/i,
  /(longer|larger) than the (model'?s? )?context (window|length|size)/i,
  /too large for model with \d+ maximum context/i
]

export const isOverflow = (type: string, message: string): boolean =>
  overflowWords.some((words) => words.test(type) || words.test(message))
