// The one file of device code that is compiled: everything is a template over the stored number, made here for both.
#include <unordered_map>

#include "learner.h"

namespace troupe::cuda {
namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<int64_t, std::weak_ptr<StoreBase>> stores;
  int64_t next = 1;
  static Registry& instance() {
    // Never destroyed, for worker threads may outlive static destructors.
    static Registry* registry = new Registry;
    return *registry;
  }
};

/// Multiprocessors of a GPU.
int processors(int gpu) {
#ifdef __CUDACC__
  int count = 0;
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, gpu), "asking the GPU");
  return count;
#else
  (void)gpu;
  return 2;
#endif
}

/// Seconds that `body` takes on the device, the best of some.
template <class Body>
double bestSeconds(Stream s, Body body) {
#ifdef __CUDACC__
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "timing");
  check(cudaEventCreate(&end), "timing");
  float best = 1e30f;
  for (int i = 0; i < 10; i++) {
    float ms = 0;
    check(cudaEventRecord(begin, s.handle), "timing");
    body();
    check(cudaEventRecord(end, s.handle), "timing");
    check(cudaEventSynchronize(end), "timing");
    check(cudaEventElapsedTime(&ms, begin, end), "timing");
    best = std::min(best, ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best / 1000;
#else
  (void)s;
  body();
  return 1;
#endif
}

template <class T>
double productRate(Stream s, int n) {
  Memory<T> a((long)n * n), b((long)n * n), c((long)n * n);
  clear(a, sizeof(T) * n * n, s);
  clear(b, sizeof(T) * n * n, s);
  ProductArgs<T, T> p{a, n, b, n, c, n, n, n, n, nullptr};
  return 2.0 * n * n * n / bestSeconds(s, [&] { product<false>(s, processors(s.gpu), p); });
}

}  // namespace

int64_t StoreBase::registerStore(const std::shared_ptr<StoreBase>& store) {
  Registry& r = Registry::instance();
  std::lock_guard<std::mutex> lock(r.mutex);
  for (auto it = r.stores.begin(); it != r.stores.end();) it = it->second.expired() ? r.stores.erase(it) : std::next(it);
  r.stores[r.next] = store;
  return r.next++;
}

std::shared_ptr<StoreBase> StoreBase::find(int64_t id) {
  Registry& r = Registry::instance();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto it = r.stores.find(id);
  return it == r.stores.end() ? nullptr : it->second.lock();
}

void requireDevices(int wanted) {
  int count = 0;
#ifdef __CUDACC__
  cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (error == cudaErrorInsufficientDriver)
    throw Failure(TR_NO_DEVICE, "this machine has no NVIDIA driver, or one that is older than CUDA " + std::to_string(CUDART_VERSION / 1000));
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) throw Failure(TR_NO_DEVICE, "the NVIDIA driver shows no GPU to this process");
  if (error != cudaSuccess) throw Failure(TR_NO_DEVICE, std::string("the NVIDIA driver does not start: ") + cudaGetErrorString(error));
#else
  count = emulate::kGpus;
#endif
  if (wanted > count)
    throw Failure(TR_BAD_INPUT, "gpus is " + std::to_string(wanted) + ", and this machine shows " + std::to_string(count) + " to this process");
#ifdef __CUDACC__
  cudaDeviceProp first;
  for (int i = 0; i < wanted; i++) {
    cudaDeviceProp device;
    check(cudaGetDeviceProperties(&device, i), "asking the GPU");
    auto capability = [](const cudaDeviceProp& d) { return std::to_string(d.major) + "." + std::to_string(d.minor); };
    if (device.major < 8)
      throw Failure(TR_NO_DEVICE, std::string(device.name) + " has compute capability " + capability(device) + ", and the kernels need 8.0");
    if (i == 0) first = device;
    // Sums inside a tensor core are the chip's own.
    if (device.major != first.major || device.minor != first.minor)
      throw Failure(TR_NO_DEVICE, std::string("GPU 0 is ") + first.name + " of compute capability " + capability(first) + " and GPU " + std::to_string(i) + " " +
                                      device.name + " of " + capability(device) + ": GPUs that work together must be alike");
  }
#endif
}

std::unique_ptr<LearnerBase> makeLearner(const Shape& shape, uint64_t seed, const TrLearnerOptions& options) {
  int ranks = std::max(options.ranks, 1);
  requireDevices(ranks);
  std::vector<int> processorsOf;
  for (int i = 0; i < ranks; i++) processorsOf.push_back(processors(i));
  if (options.format == TR_BF16) return std::make_unique<Learner<Bf16>>(shape, processorsOf, seed, options);
  return std::make_unique<Learner<float>>(shape, processorsOf, seed, options);
}

TrPeaks measureDevice() {
  requireDevices(1);
  Stream s = newStream();
  constexpr int kWide = 8192, kFloatWide = 4096;
  constexpr long kBytes = 1l << 30;
  TrPeaks peaks{};
  peaks.fmaAllThreads = peaks.fmaOneThread = productRate<float>(s, kFloatWide);
  peaks.bf16AllThreads = peaks.bf16OneThread = productRate<Bf16>(s, kWide);
  Memory<char> from(kBytes), to(kBytes);
  // A copy reads and writes every byte.
  peaks.readAllThreads = peaks.readOneThread = 2.0 * kBytes / bestSeconds(s, [&] { copy(to, from, kBytes, s); });
  peaks.threads = processors(0);
  endStream(s);
  return peaks;
}

}  // namespace troupe::cuda
