import { describeNativeEngine } from "./describe-native-engine.js";
import { describeZeroMismatch } from "./describe-zero-mismatch.js";

describeNativeEngine("avx512bf16", "bf16");
describeZeroMismatch("avx512bf16", "bf16");
