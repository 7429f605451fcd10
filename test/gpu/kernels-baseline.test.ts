import { describeNativeEngine } from "./describe-native-engine.js";

describeNativeEngine("baseline");
describeNativeEngine("baseline", "bf16");
