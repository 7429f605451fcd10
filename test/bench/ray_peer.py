"""Round trips to a Ray actor, one at a time: prints their median in microseconds."""

import statistics
import sys
import time

import ray


@ray.remote
class Echo:
    def echo(self, message):
        return message


def main(count):
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    actor = Echo.remote()
    message = {"id": 1, "t": "small", "a": 1.5, "ok": True}
    for _ in range(50):
        ray.get(actor.echo.remote(message))
    trips = []
    for _ in range(count):
        start = time.perf_counter()
        ray.get(actor.echo.remote(message))
        trips.append(1e6 * (time.perf_counter() - start))
    ray.shutdown()
    print(statistics.median(trips))


main(int(sys.argv[1]))
