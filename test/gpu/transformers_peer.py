"""What transformers makes of a policy folder: reads it, computes logprobs, writes it again in its own way.

Takes one JSON argument (Order in transformers.test.ts), prints one JSON line per folder.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def logprobs(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    return torch.log_softmax(logits.float(), -1)[range(len(tokens) - 1), tokens[1:]].tolist()


def main(order):
    torch.set_num_threads(1)
    for item in order["policies"]:
        model, info = AutoModelForCausalLM.from_pretrained(
            item["directory"], dtype=torch.float32, output_loading_info=True
        )
        # An order names what must stay empty; sets and lists differ between versions.
        trouble = [str(name) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in info[key]]
        if "saveTo" in item:
            model.to(torch.bfloat16).save_pretrained(item["saveTo"], max_shard_size=item["maxShardBytes"])
            model = AutoModelForCausalLM.from_pretrained(item["saveTo"], dtype=torch.float32)
        answer = {"trouble": trouble, "logprobs": logprobs(model, item["tokens"])}
        print(json.dumps(answer), flush=True)
    for item in order["tokenizers"]:
        tokenizer = AutoTokenizer.from_pretrained(item["directory"])
        answer = {
            "ids": [tokenizer.encode(text, add_special_tokens=False) for text in item["texts"]],
            "prompt": tokenizer.apply_chat_template(item["messages"], tokenize=False, add_generation_prompt=True),
        }
        print(json.dumps(answer), flush=True)


main(json.loads(sys.argv[1]))
