import { describeActorPlacement } from "../../contracts/actor-placement.js";

describeActorPlacement({ at: "inline" });
describeActorPlacement({ at: "thread" });
