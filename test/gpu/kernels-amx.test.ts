import { describeNativeEngine } from "./describe-native-engine.js";
import { describeZeroMismatch } from "./describe-zero-mismatch.js";

describeNativeEngine("amx", "bf16");
describeZeroMismatch("amx", "bf16");
