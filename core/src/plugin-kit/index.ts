/** What a plugin's own tests use: the hook contract, tried in a made-up run. */
export { tryContract, type ContractOptions, type ContractResult } from "./contract-kit.js";
