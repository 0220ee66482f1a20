import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Directories from "../../../layers/runtime/Directories.ts"

describe("Directories", () => {
  const cases: ReadonlyArray<readonly [string, Directories.Env, string, string, string]> = [
    [
      "below the home directory",
      { HOME: "/home/u" },
      "/home/u/.config/effect-pod",
      "/home/u/.local/share/effect-pod",
      "/home/u/.local/share/effect-pod/run"
    ],
    [
      "in the XDG directories",
      { HOME: "/home/u", XDG_CONFIG_HOME: "/c", XDG_DATA_HOME: "/d", XDG_RUNTIME_DIR: "/run/user/1" },
      "/c/effect-pod",
      "/d/effect-pod",
      "/run/user/1/effect-pod"
    ],
    [
      "in one directory of their own, before XDG",
      { HOME: "/home/u", XDG_DATA_HOME: "/d", XDG_RUNTIME_DIR: "/run/user/1", EFFECT_POD_HOME: "/pods/" },
      "/pods/config",
      "/pods/data",
      "/pods/run"
    ],
    [
      "where one variable each says, before all others",
      {
        EFFECT_POD_HOME: "/pods",
        EFFECT_POD_CONFIG_DIR: "/1",
        EFFECT_POD_DATA_DIR: "/2",
        EFFECT_POD_RUNTIME_DIR: "/3"
      },
      "/1",
      "/2",
      "/3"
    ],
    [
      "as if a variable without text were not set",
      {
        HOME: "/home/u",
        EFFECT_POD_HOME: "",
        EFFECT_POD_CONFIG_DIR: "",
        EFFECT_POD_DATA_DIR: "",
        EFFECT_POD_RUNTIME_DIR: "",
        XDG_CONFIG_HOME: "",
        XDG_DATA_HOME: "",
        XDG_RUNTIME_DIR: ""
      },
      "/home/u/.config/effect-pod",
      "/home/u/.local/share/effect-pod",
      "/home/u/.local/share/effect-pod/run"
    ],
    [
      "without relative XDG directories, which are to be ignored",
      { HOME: "/home/u", XDG_CONFIG_HOME: "c", XDG_DATA_HOME: "./d", XDG_RUNTIME_DIR: "~/r" },
      "/home/u/.config/effect-pod",
      "/home/u/.local/share/effect-pod",
      "/home/u/.local/share/effect-pod/run"
    ]
  ]
  for (const [title, env, config, data, runtime] of cases) {
    it.effect(`are ${title}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* Directories.resolve(env), {
          config,
          data,
          runtime,
          sessions: `${data}/sessions`,
          pods: `${data}/pods`
        })
      })
    )
  }

  it.effect("take the system's word for the home directory when HOME is not set", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Directories.resolve({ HOME: "" }, "/home/sys")).config, "/home/sys/.config/effect-pod")
      assert.strictEqual((yield* Directories.resolve({ HOME: "/h" }, "/home/sys")).config, "/h/.config/effect-pod")
    })
  )

  it.effect("cannot be found without any variable, and the error names what to set", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Directories.resolve({ EFFECT_POD_CONFIG_DIR: "/c" }))
      assert.include(error.message, "data directory")
      assert.include(error.message, "EFFECT_POD_DATA_DIR, EFFECT_POD_HOME, XDG_DATA_HOME and HOME")
      assert.include(error.hint, "EFFECT_POD_HOME")
    })
  )

  it.effect("must be absolute where they are ours to set", () =>
    Effect.gen(function* () {
      for (const name of [
        "EFFECT_POD_HOME",
        "EFFECT_POD_RUNTIME_DIR",
        "EFFECT_POD_DATA_DIR",
        "EFFECT_POD_CONFIG_DIR"
      ]) {
        const error = yield* Effect.flip(Directories.resolve({ HOME: "/h", [name]: "pods/here" }))
        assert.include(error.message, `${name} is "pods/here"`)
      }
    })
  )
})
