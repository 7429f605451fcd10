"""OpenEnv's own client and server, for interop.test.ts.

client URL: plays one episode against the server there and prints what it saw, a JSON line.
server PORT: offers an environment that wants a text reversed, two at once, until it is killed.
"""

import asyncio
import json
import sys


async def play(url):
    from openenv.core.generic_client import GenericEnvClient

    def shown(result):
        return {"observation": result.observation, "reward": result.reward, "done": result.done}

    async with GenericEnvClient(base_url=url) as env:
        seen = [shown(await env.reset(seed=3, episode_id="peer"))]
        seen.append(shown(await env.step({"message": "no number"})))
        state = await env.state()
        try:
            await env.step({"nonsense": 1})
            refusal = None
        except RuntimeError as error:
            refusal = str(error)
    print(json.dumps({"seen": seen, "state": state, "refusal": refusal}))


def serve(port):
    import uvicorn
    from openenv.core.env_server.http_server import create_fastapi_app
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import Action, Observation, State

    class Say(Action):
        message: str

    class Text(Observation):
        text: str

    class Reversing(Environment):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self):
            super().__init__()
            self._state = State()

        def reset(self, seed=None, episode_id=None, **_):
            self._word = f"word-{seed}"
            self._state = State(episode_id=episode_id, step_count=0)
            return Text(text=f"Say {self._word} backwards", done=False)

        def step(self, action, **_):
            self._state.step_count += 1
            if action.message == "crash":
                raise ValueError("it crashed")
            right = action.message == self._word[::-1]
            return Text(text="", done=right or self._state.step_count == 2, reward=1.0 if right else 0.0)

        @property
        def state(self):
            return self._state

    app = create_fastapi_app(Reversing, Say, Text, max_concurrent_envs=2)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if sys.argv[1] == "client":
    asyncio.run(play(sys.argv[2]))
else:
    serve(int(sys.argv[2]))
