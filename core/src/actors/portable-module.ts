/** Where the built files of this package lie, wherever it is installed. */
const root = new URL("../../", import.meta.url).href;
const SCHEME = "troupe-core:";

/** Name of a module that another installation understands: its place within this package, or its address as it is. */
export function portableModule(module: string): string {
  return module.startsWith(root) ? SCHEME + module.slice(root.length) : module;
}

/** The module here that `portableModule` named there. */
export function localModule(name: string): string {
  return name.startsWith(SCHEME) ? root + name.slice(SCHEME.length) : name;
}
