import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Whether node_modules holds exactly what the lock file says, on this machine.
 *
 * npm writes what it has installed to node_modules/.package-lock.json, as its last act. The two agree when every
 * package of one is in the other with the same version and content; packages for other machines are locked as
 * optional and may be missing. A node_modules carried over from another system has packages that do not fit here.
 */
export function isInstalled(root) {
  const locked = readPackages(join(root, "package-lock.json"));
  const installed = readPackages(join(root, "node_modules/.package-lock.json"));
  if (locked === undefined || installed === undefined) return false;
  const isComplete = Object.entries(locked).every(
    ([path, entry]) => !path.startsWith("node_modules/") || installed[path] !== undefined || entry.optional === true,
  );
  return (
    isComplete &&
    Object.entries(installed).every(([path, entry]) => {
      const wanted = locked[path];
      const isSame = wanted !== undefined && wanted.version === entry.version && wanted.integrity === entry.integrity;
      return isSame && fitsMachine(entry) && existsSync(join(root, path));
    })
  );
}

function readPackages(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : undefined;
}

function fitsMachine({ os, cpu }) {
  return allows(os, process.platform) && allows(cpu, process.arch);
}

/** The rule of package.json's "os" and "cpu": names that are allowed, or names after "!" that are not. */
function allows(names, name) {
  if (names === undefined) return true;
  const isDenied = names.includes(`!${name}`);
  const allowed = names.filter((entry) => !entry.startsWith("!"));
  return !isDenied && (allowed.length === 0 || allowed.includes(name));
}
