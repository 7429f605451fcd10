import type { Teacher } from "@troupe/core/sdk";
import type { Settings } from "../arithmetic/settings.js";
import { arithmeticTeacher } from "../arithmetic/teacher.js";

/** Works out the constants as the teacher of arithmetic does, and answers with the program: "\boxed{x+0}". */
export function programTeacher(settings: Settings): Teacher {
  const { demonstrate } = arithmeticTeacher(settings);
  return {
    demonstrate: (task, random) => {
      const { prefix, response } = demonstrate(task, random);
      return { prefix, response: response.replace("\\boxed{", "\\boxed{x+") };
    },
  };
}
