import { defineConfig } from "vitest/config"
import { Tally } from "./test/support/Tally.ts"

/** Tests of what touches the process and the machine: directories, environment, signals, sockets, children. */
const outside = ["test/cli/**", "test/layers/**", "test/scripts/**"]
const endToEnd = ["test/e2e/**"]

export default defineConfig({
  // Examples import "effect-pod", as their readers will; here that is the sources.
  resolve: { tsconfigPaths: true },
  test: {
    reporters: ["default", new Tally()],
    pool: "forks",
    maxWorkers: 2,
    projects: [
      {
        // The core has no state outside its services, so its files can share a process and load Effect once.
        extends: true,
        test: {
          name: "core",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [...outside, ...endToEnd],
          isolate: false,
          testTimeout: 60_000
        }
      },
      {
        // The same: each of their directories, sockets and children is their own, and what is global they put back.
        extends: true,
        test: {
          name: "outside",
          include: outside.map((path) => `${path}/*.test.ts`),
          isolate: false,
          testTimeout: 60_000
        }
      },
      {
        // The built dist/main.js, in processes of its own.
        extends: true,
        test: {
          name: "e2e",
          include: endToEnd.map((path) => `${path}/*.test.ts`),
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      }
    ]
  }
})
