import { describeNativeEngine } from "./describe-native-engine.js";

describeNativeEngine("amx", "bf16");
