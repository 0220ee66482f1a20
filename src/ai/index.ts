/**
 * Effect's own ai modules and pods, in both directions. An entry of its own: who does not need it does not load them.
 */
export * as FromLanguageModel from "./FromLanguageModel.ts"
export * as FromToolkit from "./FromToolkit.ts"
export * as PodLanguageModel from "./PodLanguageModel.ts"
