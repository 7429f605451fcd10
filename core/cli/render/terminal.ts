import { JsonView } from "./json-view.js";
import { PlainView } from "./plain-view.js";
import { TtyView } from "./tty-view.js";
import type { View, ViewOptions } from "./view.js";

/**
 * The view for a mode.
 *
 * @example
 * const view = createView({ mode: "plain", stdout, stderr, header: [], parts: [], hint: "", launch: {} });
 * view.note("nothing to do");
 * view.close();
 */
export function createView(options: ViewOptions): View {
  switch (options.mode) {
    case "json":
      return new JsonView(options);
    case "plain":
      return new PlainView(options);
    case "tty":
      return new TtyView(options);
  }
}
