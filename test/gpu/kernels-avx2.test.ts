import { describeNativeEngine } from "./describe-native-engine.js";
import { describeZeroMismatch } from "./describe-zero-mismatch.js";

describeNativeEngine("avx2");
describeNativeEngine("avx2", "bf16");
describeZeroMismatch("avx2", "fp32");
describeZeroMismatch("avx2", "bf16");
