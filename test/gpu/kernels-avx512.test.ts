import { describeNativeEngine } from "./describe-native-engine.js";
import { describeZeroMismatch } from "./describe-zero-mismatch.js";

describeNativeEngine("avx512");
describeZeroMismatch("avx512", "fp32");
describeZeroMismatch("avx512", "bf16");
