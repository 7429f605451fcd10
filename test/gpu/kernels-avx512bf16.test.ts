import { describeNativeEngine } from "./describe-native-engine.js";

describeNativeEngine("avx512bf16", "bf16");
