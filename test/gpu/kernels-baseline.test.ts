import { describeNativeEngine } from "./describe-native-engine.js";
import { describeZeroMismatch } from "./describe-zero-mismatch.js";

describeNativeEngine("baseline");
describeNativeEngine("baseline", "bf16");
describeZeroMismatch("baseline", "fp32");
describeZeroMismatch("baseline", "bf16");
