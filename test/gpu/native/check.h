// What the native tests share: named cases, random numbers, comparison. A failure is printed and counted; the program's
// exit code is 1 when there was one.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace check {

inline long failures = 0;
inline std::string place;

inline void fail(const std::string& what) {
  failures++;
  std::printf("FAILED %s: %s\n", place.c_str(), what.c_str());
}

inline void that(bool holds, const std::string& what) {
  if (!holds) fail(what);
}

/// |actual − expected| ≤ tolerance · scale, element by element; a NaN fails.
inline void near(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance, double scale,
                 const std::string& what) {
  if (actual.size() != expected.size()) return fail(what + ": sizes differ");
  for (size_t i = 0; i < actual.size(); i++)
    if (!(std::fabs(actual[i] - expected[i]) <= tolerance * scale))
      return fail(what + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", not " + std::to_string(expected[i]));
}

inline void same(const float* a, const float* b, long n, const std::string& what) {
  for (long i = 0; i < n; i++)
    if (!(a[i] == b[i])) return fail(what + ": element " + std::to_string(i) + " has other bits");
}

class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}
  long whole(long least, long most) { return std::uniform_int_distribution<long>(least, most)(engine_); }
  std::vector<float> normal(long n, float deviation = 1) {
    std::normal_distribution<float> d(0, deviation);
    std::vector<float> out(n);
    for (float& x : out) x = d(engine_);
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

/// d f / d x by central differences; f computes in double.
inline std::vector<double> slope(const std::function<double(const std::vector<double>&)>& f, std::vector<double> x) {
  constexpr double h = 1e-5;
  std::vector<double> out(x.size());
  for (size_t i = 0; i < x.size(); i++) {
    double at = x[i];
    x[i] = at + h;
    double up = f(x);
    x[i] = at - h;
    out[i] = (up - f(x)) / (2 * h);
    x[i] = at;
  }
  return out;
}

inline std::vector<double> wide(const std::vector<float>& x) { return {x.begin(), x.end()}; }

inline double dot(const std::vector<double>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
  return sum;
}

}  // namespace check
