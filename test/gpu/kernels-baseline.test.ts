import { describeNativeEngine } from "./describe-native-engine.js";

describeNativeEngine("baseline");
