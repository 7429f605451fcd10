import { NativeEngine } from "../../gpu/src/native-engine.js";
import { describeCudaEngine } from "./describe-cuda-engine.js";
import { ODD_QWEN3 } from "./engine-fixtures.js";

const problem = await NativeEngine.create({ shape: ODD_QWEN3, seed: 1, device: "cuda" }).then(
  (engine) => engine.dispose(),
  String,
);
if (problem !== undefined) console.log(`CUDA kernels are tested by the emulator alone. ${problem}`);

describeCudaEngine("a GPU", problem === undefined);
