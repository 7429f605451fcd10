/** What the tests of plugins and environments use: their contracts, tried. */
export { tryContract, type ContractOptions, type ContractResult } from "./contract-kit.js";
export { tryEnvironment, type EnvironmentResult } from "./environment-kit.js";
