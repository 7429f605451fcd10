// Tensors between files and flat arrays: every value of the 16-bit types, several spans, arrays in memory and arrays behind
// calls, and the first of several faults.
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "cases.h"
#include "tensor-files.h"

namespace {

constexpr int kThreads = 3;
constexpr long kMany = 1'000'003;  // numbers; more spans than are staged at once

/// An open file without a name that holds `bytes` after three others.
struct File {
  template <class T>
  explicit File(const std::vector<T>& values) : file(std::tmpfile()) {
    std::fwrite("abc", 1, 3, file);
    if (!values.empty()) std::fwrite(values.data(), sizeof(T), values.size(), file);
    std::fflush(file);
  }
  ~File() { std::fclose(file); }
  TrFileTensor tensor(TrElement element, long offset, long n) const { return {fileno(file), element, 3, offset, n}; }
  std::FILE* file;
};

double halfOf(uint16_t bits) {
  double sign = bits & 0x8000 ? -1 : 1;
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}
double upperOf(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// The array in memory, and the same behind calls.
std::vector<troupe::FlatArray> bothWays(std::vector<float>& array) {
  troupe::FlatArray direct, called;
  direct.memory = array.data();
  called.write = [&](long offset, const float* values, long n) { std::copy_n(values, n, array.data() + offset); };
  called.read = [&](long offset, float* out, long n) { std::copy_n(array.data() + offset, n, out); };
  return {direct, called};
}

void sound(const TrFileFault& fault, const std::string& what) { check::that(fault.problem == TR_FILE_SOUND, what + " is sound"); }
void faulty(const TrFileFault& fault, int problem, long tensor, long index, const std::string& what) {
  check::that(fault.problem == problem && fault.tensor == tensor && fault.index == index,
              what + ": problem " + std::to_string(fault.problem) + " of tensor " + std::to_string(fault.tensor) + " at " +
                  std::to_string(fault.index));
}

void testHalves(TrElement element, uint16_t exponent, double (*valueOf)(uint16_t)) {
  std::vector<uint16_t> halves;
  std::vector<double> expected;
  for (long bits = 0; bits < 1 << 16; bits++)
    if ((bits & exponent) != exponent) halves.push_back((uint16_t)bits), expected.push_back(valueOf((uint16_t)bits));
  File file(halves);
  TrFileTensor tensor = file.tensor(element, 0, (long)halves.size());
  sound(troupe::checkFiles(&tensor, 1, kThreads), "every finite value");
  std::vector<float> array(halves.size());
  sound(troupe::loadFiles(&tensor, 1, kThreads, bothWays(array)[0]), "every finite value");
  check::near(array, expected, 0, 0, "16-bit values");
  check::that(std::signbit(array[expected.size() / 2]), "the sign of zero stays");
}

void testTransfers() {
  check::Chance chance(5);
  std::vector<float> numbers = chance.normal(kMany), others = chance.normal(7);
  File first(numbers), second(others);
  std::vector<TrFileTensor> tensors = {first.tensor(TR_FILE_F32, 9, kMany), second.tensor(TR_FILE_F32, 2, 7)};
  for (int way = 0; way < 2; way++) {
    std::vector<float> array(9 + kMany), again(9 + kMany);
    sound(troupe::loadFiles(tensors.data(), 2, kThreads, bothWays(array)[way]), "a load");
    check::same(array.data() + 9, numbers.data(), kMany, "a tensor of many spans");
    check::same(array.data() + 2, others.data(), 7, "a tensor of one");
    check::that(array[0] == 0 && array[1] == 0, "nothing else is written");

    File copy(std::vector<float>{}), rounded(std::vector<float>{});
    TrFileTensor exact = copy.tensor(TR_FILE_F32, 2, 7 + kMany), brief = rounded.tensor(TR_FILE_BF16, 2, 7 + kMany);
    sound(troupe::saveFiles(&exact, 1, kThreads, bothWays(array)[way]), "a save");
    sound(troupe::saveFiles(&brief, 1, kThreads, bothWays(array)[way]), "a rounded save");
    sound(troupe::loadFiles(&exact, 1, kThreads, bothWays(again)[way]), "what was saved");
    check::same(again.data(), array.data(), (long)array.size(), "saved numbers");
    sound(troupe::loadFiles(&brief, 1, kThreads, bothWays(again)[way]), "what was rounded");
    bool isNear = true;
    for (size_t i = 0; i < array.size(); i++) isNear = isNear && std::fabs(again[i] - array[i]) <= std::fabs(array[i]) / 256;
    check::that(isNear, "bfloat16 is within half a step");
  }
  // 1 + 1/256 and 1 + 3/256 lie between two values of bfloat16 each.
  std::vector<float> ties = {1 + 1.f / 256, 1 + 3.f / 256, -2.5f};
  File file(std::vector<float>{});
  TrFileTensor tensor = file.tensor(TR_FILE_BF16, 0, 3);
  sound(troupe::saveFiles(&tensor, 1, kThreads, bothWays(ties)[0]), "ties");
  sound(troupe::loadFiles(&tensor, 1, kThreads, bothWays(ties)[0]), "ties");
  check::near(ties, {1, 1 + 1.0 / 64, -2.5}, 0, 0, "ties go to even");
}

void testFaults() {
  std::vector<float> numbers(kMany, 1);
  numbers[kMany - 1] = NAN, numbers[400'000] = -INFINITY, numbers[400'001] = NAN;
  File bad(numbers), good(std::vector<float>(9, 1));
  // Each has places of its own: threads fill them at once.
  std::vector<float> array(9 + kMany + 10);
  std::vector<TrFileTensor> tensors = {good.tensor(TR_FILE_F32, 0, 9), bad.tensor(TR_FILE_F32, 9, kMany),
                                       good.tensor(TR_FILE_F32, 9 + kMany, 10)};
  for (int threads : {1, kThreads})
    for (int i = 0; i < 20; i++) {
      TrFileFault fault = troupe::checkFiles(tensors.data(), 3, threads);
      faulty(fault, TR_FILE_NOT_FINITE, 1, 400'000, "the first number that is not finite");
      check::that(fault.value == -INFINITY, "its value");
    }
  for (const troupe::FlatArray& way : bothWays(array)) {
    faulty(troupe::loadFiles(tensors.data(), 3, kThreads, way), TR_FILE_NOT_FINITE, 1, 400'000, "a load of it");
    // What a file lost after it was opened.
    faulty(troupe::loadFiles(&tensors[2], 1, kThreads, way), TR_FILE_ENDS, 0, 0, "a file that ends early");
    TrFileTensor none = {-1, TR_FILE_F32, 0, 0, 4};
    TrFileFault fault = troupe::saveFiles(&none, 1, kThreads, way);
    faulty(fault, TR_FILE_FAILS, 0, 0, "a file that is not open");
    check::that(fault.error == EBADF, "what the system says");
  }
}

}  // namespace

void testFiles() {
  testHalves(TR_FILE_F16, 0x7c00, halfOf);
  testHalves(TR_FILE_BF16, 0x7f80, upperOf);
  testTransfers();
  testFaults();
}
