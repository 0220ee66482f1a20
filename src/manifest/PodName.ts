/** The rule for pod names, where manifests are made; it is stated in the protocol, which every room may use. */
export { isPodName, podNameRule, sanitisePodName } from "../protocol/PodName.ts"
