/** Ends the set-up: one line with cause and fix, after `output`, the end of what the failed step said. */
export class SetUpError extends Error {
  constructor(code, exitCode, message, fix, output) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.fix = fix;
    this.output = output;
  }
}

export function compilerMissing({ cxx, platform }) {
  const state = cxx ? `CXX is "${cxx}", which does not run` : "there is no c++, g++ or clang++";
  const install =
    platform === "darwin" ? '"xcode-select --install"' : '"apt-get install g++" (or your system\'s g++ or clang++)';
  const fix = cxx
    ? "unset CXX, or set it to a C++17 compiler"
    : `install one with ${install}, then run the same command again`;
  return new SetUpError("COMPILER_MISSING", 2, `Cannot build the native addon without a C++ compiler: ${state}`, fix);
}

export function diskFull({ root, freeMb, neededMb }) {
  const message = `Cannot install packages into "${root}" with less than ${neededMb} MB of disk: ${freeMb} MB are free`;
  return new SetUpError("DISK_FULL", 4, message, "free some space, then run the same command again");
}

export function networkMissing() {
  const message = "Cannot download packages: the npm registry does not answer";
  const fix =
    'check the network and "npm config get registry" (behind a proxy, set HTTPS_PROXY), then run the same command again';
  return new SetUpError("NETWORK_MISSING", 75, message, fix);
}

export function stepFailed({ action, command, step }) {
  const ending = step.signal ? `was ended by ${step.signal}` : `ended with exit code ${step.exitCode}`;
  const tail = step.output.trimEnd().split("\n").slice(-30).join("\n");
  return new SetUpError(
    "SET_UP_FAILED",
    1,
    `Cannot ${action}: "${command}" ${ending}`,
    "see its last lines above",
    tail,
  );
}
