import { existsSync } from "node:fs";
import type { GuestLimits } from "../guests/guest-pool.js";
import type { GuestChannel } from "../guests/guest.js";
import type { Language } from "../sandbox.js";
import { ForkServer, forkLibrary } from "./fork-server.js";
import { launchArguments, type LaunchArguments } from "./launch-arguments.js";
import { launchGuest } from "./launched-guest.js";

/** Starts guests behind the boundary: Python ones as forks of a warm interpreter where that is possible, others by the launcher. */
export class GuestStarter {
  readonly #launcher: string;
  readonly #cgroups: readonly string[];
  #server: Promise<ForkServer> | undefined;
  /** Not where the library is missing, or a Python has nothing to load it with. */
  #canFork = existsSync(forkLibrary());

  constructor(launcher: string, cgroups: readonly string[]) {
    this.#launcher = launcher;
    this.#cgroups = cgroups;
  }

  /** A guest on its way up; words where there is nothing to start. */
  async start(language: Language, limits: GuestLimits): Promise<GuestChannel | string> {
    const wanted = launchArguments(language, limits, this.#cgroups);
    if (wanted === undefined) return `no interpreter for ${language} on the path`;
    if (language === "python" && this.#canFork) {
      const server = await this.#running(wanted);
      if (await server.isServing) return server.start(wanted);
      this.#canFork = false;
    }
    return launchGuest(this.#launcher, [...wanted.boundary, "--", ...wanted.command]);
  }

  async close(): Promise<void> {
    await (await this.#server)?.close();
  }

  /** One that went down is followed by another; one that never served shows that it cannot. */
  async #running(wanted: LaunchArguments): Promise<ForkServer> {
    const last = this.#server;
    if (last !== undefined && (await last).isAlive) return last;
    // Of those who waited, one alone starts the next.
    if (this.#server !== undefined && this.#server !== last) return this.#server;
    const next = ForkServer.open(wanted);
    this.#server = next;
    // Where there is no room for its folder, there may be later.
    next.catch(() => (this.#server = undefined));
    return next;
  }
}
