"""Rewards of other trainers from the verdicts of `troupe verify serve`. Python 3.9 or newer, nothing to install.

A verdict that says nothing about an answer (error, timeout, infra) raises VerifierFailed: it is never a reward of 0.

Read from the environment: TROUPE_VERIFY_URL (http://127.0.0.1:8470), TROUPE_VERIFY_TOKEN, TROUPE_VERIFIER ("math").
"""

import asyncio
import http.client
import json
import os
import queue
import threading
import time
import urllib.parse
import uuid

SCORED = ("pass", "fail", "partial")
# How long a batch may take, and how often it is sent again when the service is busy or the connection broke.
DEADLINE_S = 120.0
TRIES = 6
# verl asks for one answer at a time: so long the first of a batch waits for others.
WINDOW_S = 0.005


class VerifierFailed(RuntimeError):
    """The service has no verdict on an answer, or no answer at all."""


class VerifyClient:
    """A few connections to one service; may be used from several threads."""

    def __init__(self, url=None, token=None):
        url = url or os.environ.get("TROUPE_VERIFY_URL", "http://127.0.0.1:8470")
        parts = urllib.parse.urlsplit(url)
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._open = lambda: make(parts.hostname, parts.port, timeout=DEADLINE_S + 30)
        self._path = parts.path.rstrip("/") + "/v1/verify"
        token = token or os.environ.get("TROUPE_VERIFY_TOKEN")
        self._headers = {"content-type": "application/json"}
        if token:
            self._headers["authorization"] = "Bearer " + token
        self._idle = queue.LifoQueue()

    def verify(self, items):
        """Replies in the order of the items, one each; raises VerifierFailed on any that says nothing."""
        if not items:
            return []
        key = uuid.uuid4().hex  # The same for every try: nothing is judged twice.
        body = json.dumps({"idempotency_key": key, "deadline_ms": DEADLINE_S * 1000, "items": items})
        found = self._send(body)["items"]
        by_id = {reply["sample_id"]: reply for reply in found}
        if len(found) != len(items) or by_id.keys() != {item["sample_id"] for item in items}:
            raise VerifierFailed("%d items were sent, and %d replies to others came" % (len(items), len(found)))
        replies = [by_id[item["sample_id"]] for item in items]
        for item, reply in zip(items, replies):
            if reply["verdict"] not in SCORED + ("abstain",) or ("score" in reply) != (reply["verdict"] in SCORED):
                raise VerifierFailed('sample "%s": %s, %s' % (item["sample_id"], reply["verdict"], reply["reason"]))
        return replies

    def _send(self, body):
        problem = None
        for attempt in range(TRIES):
            connection = self._take()
            try:
                connection.request("POST", self._path, body.encode(), self._headers)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                problem, wait = error, 2.0**attempt / 4
            else:
                self._idle.put(connection)
                if response.status == 200:
                    return json.loads(text)
                problem = text.decode(errors="replace").strip()
                if response.status not in (429, 503):
                    raise VerifierFailed("status %d: %s" % (response.status, problem))
                wait = float(response.headers.get("retry-after", 2.0**attempt / 4))
            if attempt < TRIES - 1:
                time.sleep(wait)
        raise VerifierFailed("no answer after %d tries: %s" % (TRIES, problem))

    def _take(self):
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._open()


def item_of(index, response, ground_truth, prompt="", verifier=None, meta=None):
    return {
        "sample_id": str(index),
        "verifier": verifier or os.environ.get("TROUPE_VERIFIER", "math"),
        "prompt": prompt if isinstance(prompt, str) else [{key: one[key] for key in ("role", "content")} for one in prompt],
        "response": response,
        "ground_truth": ground_truth,
        "meta": meta or {},
    }


_client = None


def client():
    global _client
    _client = _client or VerifyClient()
    return _client


# TRL: GRPOTrainer(reward_funcs=trl_reward(column="answer")).


def trl_reward(column="answer", verifier=None):
    """A reward function: one float for each completion, None where the verifier abstains.

    `column` is the data set's column with the ground truth.
    """

    def troupe_reward(prompts, completions, **columns):
        golds = columns[column]
        if not len(prompts) == len(completions) == len(golds):
            lengths = (len(prompts), len(completions), len(golds))
            raise VerifierFailed("%d prompts, %d completions and %d ground truths are no batch" % lengths)
        items = [
            item_of(index, _text(completion), gold, prompt, verifier)
            for index, (prompt, completion, gold) in enumerate(zip(prompts, completions, golds))
        ]
        return [reply.get("score") for reply in client().verify(items)]

    return troupe_reward


def _text(completion):
    """Conversational rows pass a list of messages."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


# verl: reward.custom_reward_function.path=…/troupe_rewards.py reward.custom_reward_function.name=compute_score


async def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """One answer's score; calls of the same few milliseconds travel together."""
    extra = extra_info or {}
    verifier = extra.get("verifier")
    loop = asyncio.get_running_loop()
    if getattr(_window, "loop", None) is not loop:
        _window.loop, _window.waiting = loop, []
    found = loop.create_future()
    _window.waiting.append((solution_str, ground_truth, verifier, found))
    if len(_window.waiting) == 1:
        loop.call_later(WINDOW_S, lambda: loop.create_task(_send_window()))
    reply = await found
    if "score" not in reply:
        raise VerifierFailed("the verifier abstained (%s), which has no reward here" % reply["reason"])
    return reply["score"]


# slime: --custom-rm-path troupe_rewards.slime_reward, without --group-rm


async def slime_reward(args, sample, **_):
    return await compute_score("", sample.response, sample.label, sample.metadata)


# Every thread has an event loop of its own.
_window = threading.local()


async def _send_window():
    batch, _window.waiting = _window.waiting, []
    items = [item_of(index, answer, gold, "", verifier) for index, (answer, gold, verifier, _) in enumerate(batch)]
    try:
        replies = await asyncio.get_running_loop().run_in_executor(None, client().verify, items)
    except Exception as error:
        for *_, found in batch:
            if not found.done():
                found.set_exception(VerifierFailed(str(error)))
        return
    for (*_, found), reply in zip(batch, replies):
        if not found.done():
            found.set_result(reply)


# OpenRLHF: --reward.remote_url …/troupe_rewards.py


def reward_func(queries, prompts, labels, **_):
    """One score for each query, which is a prompt with its response."""
    if not len(queries) == len(prompts) == len(labels):
        lengths = (len(queries), len(prompts), len(labels))
        raise VerifierFailed("%d queries, %d prompts and %d labels are no batch" % lengths)
    answers = [query[len(prompt) :] if query.startswith(prompt) else query for query, prompt in zip(queries, prompts)]
    items = [item_of(index, *one) for index, one in enumerate(zip(answers, labels, prompts))]
    replies = client().verify(items)
    if any("score" not in reply for reply in replies):
        raise VerifierFailed("the verifier abstained, which has no reward here")
    return [reply["score"] for reply in replies]
