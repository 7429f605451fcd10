#include "adapter.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "failure.h"

namespace troupe {
namespace {

constexpr const char* kLinears = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head";

void scale(float* values, long n, float by) {
  for (long i = 0; i < n; i++) values[i] *= by;
}

}  // namespace

AdapterLayout::AdapterLayout(const Shape& s, const Layout& layout, const Kernels& kernels, long r, double alpha,
                             const std::string& targets)
    : rank(r), scale((float)(alpha / (double)r)) {
  auto demand = [](bool holds, const std::string& text) {
    if (!holds) throw Failure(TR_BAD_INPUT, text);
  };
  demand(rank > 0, "the adapter's rank must be positive: " + std::to_string(rank));
  demand(std::isfinite(alpha) && alpha > 0, "the adapter's alpha must be positive");
  std::istringstream words(targets);
  std::set<std::string> wanted;
  for (std::string word; words >> word;) wanted.insert(word);
  demand(!wanted.empty(), std::string("the adapter has no target; linears are ") + kLinears);
  std::set<std::string> matched;
  auto padded = [&](long n) { return (n + kernels.panel - 1) / kernels.panel * kernels.panel; };
  auto add = [&](std::vector<AdapterPart>& parts, const std::string& module, long column, long outputs, long inputs, long weight) {
    std::string name = module.substr(module.rfind('.') + 1);
    if (wanted.count(name) == 0) return;
    matched.insert(name);
    AdapterPart p{column, outputs, inputs, weight, size, size + rank * inputs, packedSize, packedSize + padded(rank) * inputs,
                  backSize, backSize + padded(inputs) * rank};
    // B begins at 0, so an adapter that has learned nothing changes nothing.
    tensors.push_back({"base_model.model." + module + ".lora_A.weight", p.a, rank, inputs, 1.f / std::sqrt(3.f * (float)inputs), 0});
    tensors.push_back({"base_model.model." + module + ".lora_B.weight", p.b, outputs, rank, 0, 0});
    size += rank * (inputs + outputs);
    packedSize += padded(rank) * inputs + padded(outputs) * rank;
    backSize += padded(inputs) * rank + padded(rank) * outputs;
    parts.push_back(p);
  };
  long d = s.hiddenSize, q = s.qWidth(), kv = s.kvWidth(), f = s.intermediateSize;
  layers.resize(s.layers);
  for (int l = 0; l < s.layers; l++) {
    std::string p = "model.layers." + std::to_string(l) + ".";
    const Layout::Layer& y = layout.layers[l];
    Layer& to = layers[l];
    add(to.qkv, p + "self_attn.q_proj", 0, q, d, y.qkv);
    add(to.qkv, p + "self_attn.k_proj", q, kv, d, y.qkv + q * d);
    add(to.qkv, p + "self_attn.v_proj", q + kv, kv, d, y.qkv + (q + kv) * d);
    add(to.output, p + "self_attn.o_proj", 0, d, q, y.output);
    add(to.gateUp, p + "mlp.gate_proj", 0, f, d, y.gateUp);
    add(to.gateUp, p + "mlp.up_proj", f, f, d, y.gateUp + f * d);
    add(to.down, p + "mlp.down_proj", 0, d, f, y.down);
  }
  demand(!s.tieEmbeddings || wanted.count("lm_head") == 0,
         "the adapter's target \"lm_head\" is no linear of its own here: it is tied to the embedding");
  add(head, "lm_head", 0, s.vocabSize, d, layout.head);
  for (const std::string& name : wanted)
    demand(matched.count(name) > 0, "the adapter's target \"" + name + "\" matches no linear; linears are " + kLinears);
}

std::vector<const AdapterPart*> AdapterLayout::all() const {
  std::vector<const AdapterPart*> parts;
  auto take = [&](const std::vector<AdapterPart>& some) {
    for (const AdapterPart& p : some) parts.push_back(&p);
  };
  for (const Layer& l : layers) take(l.qkv), take(l.output), take(l.gateUp), take(l.down);
  take(head);
  return parts;
}

void AdapterLayout::pack(const Kernels& k, const AdapterPart& p, const float* adapter, float* packed, float* back) const {
  const float *a = adapter + p.a, *b = adapter + p.b;
  k.packTransposed(a, p.inputs, rank, p.inputs, packed + p.aPanels, p.inputs * k.panel);
  troupe::scale(packed + p.aPanels, p.bPanels - p.aPanels, scale);
  k.packTransposed(b, rank, p.outputs, rank, packed + p.bPanels, rank * k.panel);
  k.pack(a, p.inputs, rank, p.inputs, back + p.aBack, rank * k.panel);
  k.pack(b, rank, p.outputs, rank, back + p.bBack, p.outputs * k.panel);
  long padded = (rank + k.panel - 1) / k.panel * k.panel;
  troupe::scale(back + p.bBack, padded * p.outputs, scale);
}

}  // namespace troupe
