import { describeActorPlacement } from "../../contracts/actor-placement.js";

describeActorPlacement("inline", () => ({ at: "inline" }));
describeActorPlacement("thread", () => ({ at: "thread" }));
