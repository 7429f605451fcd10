"""The engine benchmark's work in PyTorch: a decoder of the same shape with modules of its own, on the CPU, in fp32 or
in bf16 by autocast; with "device": "cuda" on a GPU, all in bf16.

Takes one JSON argument (TorchOrder in torch-peer.ts); prints a JSON line with a row's name and its median tokens per
second as soon as they are known: with one thread, later with all if that is faster, as on a busy machine threads
that wait for each other can be slower than one.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Rotary:
    def __init__(self, shape):
        half = torch.arange(0, shape["headSize"], 2).float() / shape["headSize"]
        angles = torch.arange(shape["maxPositions"]).float()[:, None] * shape["ropeTheta"] ** -half
        self.cos = torch.cat([angles.cos()] * 2, -1)
        self.sin = torch.cat([angles.sin()] * 2, -1)

    def __call__(self, x, start):
        end = start + x.shape[-2]
        left, right = x.chunk(2, -1)
        return x * self.cos[start:end] + torch.cat([-right, left], -1) * self.sin[start:end]


class Layer(nn.Module):
    def __init__(self, shape, rotary):
        super().__init__()
        d, size = shape["hiddenSize"], shape["headSize"]
        self.heads, self.kv_heads, self.size, self.rotary = shape["heads"], shape["kvHeads"], size, rotary
        norm = lambda width: nn.RMSNorm(width, eps=shape["rmsNormEpsilon"])
        linear = lambda inner, outer: nn.Linear(inner, outer, bias=False)
        self.norm_attention, self.norm_mlp = norm(d), norm(d)
        self.norm_q, self.norm_k = norm(size), norm(size)
        self.q, self.k, self.v = linear(d, self.heads * size), linear(d, self.kv_heads * size), linear(d, self.kv_heads * size)
        self.o = linear(self.heads * size, d)
        self.gate, self.up = linear(d, shape["intermediateSize"]), linear(d, shape["intermediateSize"])
        self.down = linear(shape["intermediateSize"], d)

    def forward(self, x, start, cache):
        batch, length, _ = x.shape
        split = lambda y, heads: y.view(batch, length, heads, self.size).transpose(1, 2)
        h = self.norm_attention(x)
        q = self.rotary(self.norm_q(split(self.q(h), self.heads)), start)
        k = self.rotary(self.norm_k(split(self.k(h), self.kv_heads)), start)
        v = split(self.v(h), self.kv_heads)
        if cache is not None:
            keys, values = cache
            keys[:, :, start : start + length] = k
            values[:, :, start : start + length] = v
            k, v = keys[:, :, : start + length], values[:, :, : start + length]
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1, enable_gqa=True)
        x = x + self.o(attended.transpose(1, 2).reshape(batch, length, -1))
        h = self.norm_mlp(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape["vocabSize"], shape["hiddenSize"])
        nn.init.normal_(self.embedding.weight, std=0.02)
        rotary = Rotary(shape)
        self.layers = nn.ModuleList(Layer(shape, rotary) for _ in range(shape["layers"]))
        self.norm = nn.RMSNorm(shape["hiddenSize"], eps=shape["rmsNormEpsilon"])

    def forward(self, ids, start=0, caches=None):
        x = self.embedding(ids)
        for index, layer in enumerate(self.layers):
            x = layer(x, start, caches[index] if caches else None)
        return F.linear(self.norm(x), self.embedding.weight)

    def new_caches(self, batch, length):
        place = lambda: torch.zeros(batch, self.shape["kvHeads"], length, self.shape["headSize"])
        return [(place(), place()) for _ in self.layers]


def train(model, ids):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True)

    def step():
        logits = model(ids)[:, :-1]
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step, ids.numel()


def score(model, ids):
    @torch.inference_mode()
    def step():
        logprobs = model(ids)[:, :-1].log_softmax(-1)
        logprobs.gather(-1, ids[:, 1:, None])
        -(logprobs.exp() * logprobs).sum(-1)

    return step, ids.numel()


def decode(model, ids):
    """Decoding steps alone: half the context is filled before, the clock runs for as many tokens as the context has."""
    batch, context = ids.shape
    prompt = context // 2
    caches = model.new_caches(batch, prompt + context)
    with torch.inference_mode():
        first = model(ids[:, :prompt], 0, caches)[:, -1]

    @torch.inference_mode()
    def step():
        logits = first
        for position in range(prompt, prompt + context):
            token = torch.multinomial(logits.softmax(-1), 1)
            logits = model(token, position, caches)[:, -1]

    return step, batch * context


def rate_of(step, tokens, order):
    """Median tokens per second after a first call that does not count."""
    finish = torch.cuda.synchronize if order.get("device") == "cuda" else lambda: None
    step()
    finish()
    seconds = []
    while not seconds or (len(seconds) < order["least"] and sum(seconds) < order["seconds"]):
        start = time.perf_counter()
        step()
        finish()
        seconds.append(time.perf_counter() - start)
    return tokens / statistics.median(seconds)


def main():
    order = json.loads(sys.argv[1])
    if order.get("device") == "cuda":
        torch.set_default_device("cuda")
        torch.set_default_dtype(torch.bfloat16)
    best = {}
    # One thread first: whoever stops waiting for us has a figure for every row by then.
    for threads in [1] if order.get("device") else sorted({1, order["threads"]}):
        torch.set_num_threads(threads)
        for row in order["rows"]:
            torch.manual_seed(1)
            model = Decoder(row["shape"])
            ids = torch.randint(0, row["shape"]["vocabSize"], (row["batch"], row["length"]))
            step, tokens = {"train": train, "score": score, "decode": decode}[row["kind"]](model, ids)
            name = row["name"]
            with torch.autocast("cpu", torch.bfloat16, enabled=row["dtype"] == "bf16"):
                best[name] = max(best.get(name, 0), rate_of(step, tokens, order))
            print(json.dumps({"name": name, "rate": best[name]}), flush=True)


main()
