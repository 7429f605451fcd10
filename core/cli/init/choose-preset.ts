import { basename } from "node:path";
import type { Preset } from "../../src/config/preset.js";
import type { ModelShape } from "../../src/engines/policy-engine.js";

/** A model as presets are compared with it. */
export interface Candidate {
  /** Its folder. */
  readonly directory: string;
  readonly architecture: string;
  readonly shape: ModelShape;
  readonly parameters: number;
  /** Domains that there are tasks of. */
  readonly domains: readonly string[];
}

/** A preset for a model, and whether it was made for that very model. */
export interface ChosenPreset {
  readonly preset: Preset;
  readonly model: Preset["about"]["models"][number];
  readonly isExact: boolean;
}

/**
 * The preset that was made for a model, or else the one whose model is nearest in size. One that needs more positions
 * than the model has cannot be chosen, nor one for a model of another name where it says so. Of equals, the one that
 * trains on the most of the domains that there are.
 *
 * @returns undefined when none can be
 */
export function choosePreset(presets: readonly Preset[], candidate: Candidate): ChosenPreset | undefined {
  const folder = basename(candidate.directory).toLowerCase();
  const ranked = presets
    .filter(({ about }) => about.positions <= candidate.shape.maxPositions)
    .flatMap((preset) => preset.about.models.map((model) => ({ preset, model })))
    .filter(({ model }) => model.folder === undefined || folder.includes(model.folder.toLowerCase()))
    .map(({ preset, model }) => {
      const isExact =
        model.architecture === candidate.architecture &&
        model.hiddenSize === candidate.shape.hiddenSize &&
        model.layers === candidate.shape.layers;
      // A name that fits says more than a shape, and an equal shape more than any size.
      const rank = isExact ? (model.folder === undefined ? 1 : 0) : 2;
      const distance = Math.abs(Math.log(model.parameters / candidate.parameters));
      const { domains } = preset.about;
      const missing = domains.filter((domain) => !candidate.domains.includes(domain)).length;
      return { preset, model, isExact, rank, distance, missing, domains: domains.length };
    })
    .toSorted((a, b) => a.rank - b.rank || a.distance - b.distance || a.missing - b.missing || b.domains - a.domains);
  const [best] = ranked;
  return best && { preset: best.preset, model: best.model, isExact: best.isExact };
}
