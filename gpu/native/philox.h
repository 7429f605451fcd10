// Philox4x32-10, a counter-based generator: four random words from a key and a counter, no state.
// Source: Salmon, Moraes, Dror, Shaw, «Parallel random numbers: as easy as 1, 2, 3» (SC 2011).
#pragma once
#include <array>
#include <cstdint>

namespace troupe {

inline std::array<uint32_t, 4> philox(uint32_t key0, uint32_t key1, std::array<uint32_t, 4> c) {
  for (int round = 0; round < 10; round++) {
    uint64_t a = uint64_t{0xD2511F53u} * c[0], b = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(b), static_cast<uint32_t>(a >> 32) ^ c[3] ^ key1,
         static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/// Uniform in [0, 1): the top 24 bits of the first word, in steps of 2⁻²⁴.
inline float uniform(uint32_t key0, uint32_t key1, uint32_t counter) {
  return static_cast<float>(philox(key0, key1, {counter, 0, 0, 0})[0] >> 8) * (1.f / 16777216.f);
}

}  // namespace troupe
