/**
 * A vitest reporter with one line: `N passed, N failed, N skipped`, alone and the very last thing the run prints.
 *
 * What stops a file from running (a failed import, a failed hook, an error that nobody handled) counts as one failure,
 * so the line says "0 failed" exactly when the run succeeded.
 */
import type { SerializedError } from "vitest"
import type { Reporter, TestModule, TestSuite } from "vitest/node"

const count = { passed: 0, failed: 0, skipped: 0 }

const countSuites = (suite: TestModule | TestSuite): void => {
  if (suite.errors().length > 0) count.failed++
  for (const child of suite.children.suites()) countSuites(child)
}

export class Tally implements Reporter {
  onInit(): void {
    // Other reporters and vitest itself print after the run has ended: only the exit of the process is last.
    process.once("exit", (code) => {
      if (code !== 0 && count.failed === 0) count.failed = 1
      process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
    })
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    count.passed = 0
    count.skipped = 0
    count.failed = unhandled.length
    for (const module of modules) {
      countSuites(module)
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") count.passed++
        else if (state === "failed") count.failed++
        else count.skipped++
      }
    }
  }
}
