import { describe, expect, it } from "vitest";
import { z } from "../../core/src/sdk.js";
import { read } from "./source.js";

const PACKAGES = ["core", "gpu", "environments", "plugins", "examples", "test"];

const versions = z.record(z.string(), z.string()).default({});
const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.literal("Apache-2.0"),
  type: z.literal("module"),
  dependencies: versions,
  devDependencies: versions,
  optionalDependencies: versions,
});
type Manifest = z.output<typeof manifestSchema>;

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
      inBundle: z.boolean().optional(),
      optionalDependencies: versions,
      os: z.array(z.string()).default([]),
    }),
  ),
});
type Lock = z.output<typeof lockSchema>;

const manifests = () =>
  ["package.json", ...PACKAGES.map((name) => `${name}/package.json`)].map((path) =>
    manifestSchema.parse(JSON.parse(read(path))),
  );
const lock = () => lockSchema.parse(JSON.parse(read("package-lock.json")));

function findLooseVersions(manifest: Manifest): string[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${manifest.name} asks for ${name} "${version}", which is not one version`);
}

/** Addresses would tie the lock to one registry; only links to our own folders have one. */
function findAddresses(locked: Lock): string[] {
  return Object.entries(locked.packages)
    .filter(([, entry]) => entry.resolved !== undefined && !(entry.link === true && PACKAGES.includes(entry.resolved)))
    .map(([path]) => `${path} has an address`);
}

/** `npm ci` refuses a lock that lacks a package for another machine, although installing here went well. */
function findMissingPlatforms(locked: Lock): string[] {
  return Object.entries(locked.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies)
      .filter(
        (name) =>
          locked.packages[`${path}/node_modules/${name}`] === undefined &&
          locked.packages[`node_modules/${name}`] === undefined,
      )
      .map((name) => `${path} needs ${name}, which is not locked`),
  );
}

describe("package.json", () => {
  it("pins every dependency to one version", () => {
    expect(manifests().flatMap(findLooseVersions)).toEqual([]);
    const loose = { zod: "^4.0.0", yaml: "latest", vitest: "4.x", esbuild: "*" };
    const bad = manifestSchema.parse({
      name: "a",
      version: "1.0.0",
      license: "Apache-2.0",
      type: "module",
      dependencies: loose,
    });
    expect(findLooseVersions(bad)).toHaveLength(4);
  });

  it("gives every package one version, under which the others ask for it", () => {
    const own = new Map(manifests().map((manifest) => [manifest.name, manifest.version]));
    expect(new Set(own.values()).size).toBe(1);
    const asked = manifests().flatMap((manifest) =>
      Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }),
    );
    expect(asked.filter(([name, version]) => own.has(name) && own.get(name) !== version)).toEqual([]);
  });
});

describe("package-lock.json", () => {
  it("holds no addresses", () => {
    expect(findAddresses(lock())).toEqual([]);
    const bad = {
      "node_modules/a": { resolved: "https://registry.example/a.tgz" },
      "node_modules/@troupe/core": { resolved: "core", link: true },
    };
    expect(findAddresses(lockSchema.parse({ packages: bad }))).toEqual(["node_modules/a has an address"]);
  });

  it("holds what was published, by its hash", () => {
    const own = (path: string) => path === "" || PACKAGES.includes(path);
    const loose = Object.entries(lock().packages).filter(
      ([path, entry]) => !own(path) && entry.link !== true && entry.inBundle !== true && entry.integrity === undefined,
    );
    expect(loose.map(([path]) => path)).toEqual([]);
  });

  it("locks packages for every machine", () => {
    expect(findMissingPlatforms(lock())).toEqual([]);
    const systems = new Set(Object.values(lock().packages).flatMap((entry) => entry.os));
    expect([...systems]).toEqual(expect.arrayContaining(["linux", "darwin", "win32"]));
    const bad = {
      "node_modules/a": { optionalDependencies: { "a-linux": "1.0.0", "a-win32": "1.0.0" } },
      "node_modules/a-linux": {},
    };
    expect(findMissingPlatforms(lockSchema.parse({ packages: bad }))).toEqual([
      "node_modules/a needs a-win32, which is not locked",
    ]);
  });
});
