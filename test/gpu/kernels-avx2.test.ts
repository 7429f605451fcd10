import { describeNativeEngine } from "./describe-native-engine.js";

describeNativeEngine("avx2");
describeNativeEngine("avx2", "bf16");
