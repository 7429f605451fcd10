"""What transformers makes of a policy folder, and PEFT of an adapter: reads it, computes logprobs, writes its own.

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


def adapted(item):
    from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict

    def base():
        return AutoModelForCausalLM.from_pretrained(item["base"], dtype=torch.float32)

    model = PeftModel.from_pretrained(base(), item["directory"])
    result = set_peft_model_state_dict(model, load_peft_weights(item["directory"]))
    loaded = model.peft_config["default"]
    answer = {
        # Weights of the base are missing from every adapter.
        "trouble": [name for name in result.missing_keys if "lora_" in name] + list(result.unexpected_keys),
        "logprobs": logprobs(model, item["tokens"]),
        "merged": logprobs(model.merge_and_unload(), item["tokens"]),
    }
    own = LoraConfig(
        task_type="CAUSAL_LM",
        r=loaded.r,
        lora_alpha=loaded.lora_alpha,
        target_modules=loaded.target_modules,
        init_lora_weights=False,
    )
    model = get_peft_model(base(), own)
    # A head that is adapted would be saved whole beside its adapter otherwise.
    model.save_pretrained(item["saveTo"], save_embedding_layers=False)
    return {**answer, "own": logprobs(model, item["tokens"])}


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
    for item in order["adapters"]:
        print(json.dumps(adapted(item)), flush=True)
    for item in order["tokenizers"]:
        tokenizer = AutoTokenizer.from_pretrained(item["directory"])
        answer = {
            "ids": [tokenizer.encode(text, add_special_tokens=False) for text in item["texts"]],
            "prompt": tokenizer.apply_chat_template(item["messages"], tokenize=False, add_generation_prompt=True),
        }
        print(json.dumps(answer), flush=True)


main(json.loads(sys.argv[1]))
