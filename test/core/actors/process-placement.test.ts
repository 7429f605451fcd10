import { describeActorPlacement } from "../../contracts/actor-placement.js";

describeActorPlacement("process", () => ({ at: "process" }));
