// Node-API over the C interface. Every call that computes copies its arguments, runs on a thread of its own (not one of
// libuv's four, which file access needs) and settles a promise; the JavaScript thread never waits. One file, over 300
// lines, because nothing else may know Node-API.
#include <napi.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "troupe.h"

namespace {

/// Threads that wait for engine calls; one more is started when all are busy. They live as long as the process.
class Callers {
 public:
  static Callers& shared() {
    static Callers* callers = new Callers;
    return *callers;
  }
  void submit(std::function<void()> task) {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    if (idle_ < tasks_.size()) std::thread([this] { serve(); }).detach();
    else wake_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      while (tasks_.empty()) {
        idle_++;
        wake_.wait(lock);
        idle_--;
      }
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  size_t idle_ = 0;
};

using Result = std::function<Napi::Value(Napi::Env)>;

/// Something to do on the JavaScript thread.
using Post = std::function<void(Napi::Env)>;

Napi::Error failure(Napi::Env env, TrStatus status, const std::string& text) {
  Napi::Error error = Napi::Error::New(env, text);
  error.Set("status", Napi::Number::New(env, status));
  return error;
}

/// What belongs to one JavaScript environment (the main thread's or a worker's).
class Environment {
 public:
  explicit Environment(Napi::Env env) {
    napi_value name = Napi::String::New(env, "troupe");
    napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, settle, &deliver_);
    napi_unref_threadsafe_function(env, deliver_);
    // Added after the function's own hook, so it runs before it: no thread delivers to a function that is gone.
    napi_add_env_cleanup_hook(env, close, this);
  }

  /// Runs `work` elsewhere; the promise resolves with `result` or rejects with the status and text.
  Napi::Value start(Napi::Env env, std::function<TrStatus()> work, Result result) {
    struct Call {
      Napi::Promise::Deferred deferred;
      Result result;
      TrStatus status = TR_OK;
      std::string error;
    };
    auto call = std::make_shared<Call>(Call{Napi::Promise::Deferred::New(env), std::move(result), TR_OK, {}});
    if (pending_++ == 0) napi_ref_threadsafe_function(env, deliver_);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      running_++;
    }
    Napi::Value promise = call->deferred.Promise();
    Callers::shared().submit([this, call = std::move(call), work = std::move(work)]() mutable {
      call->status = work();
      if (call->status != TR_OK) call->error = tr_last_error();
      // What the call held is let go before it answers: whoever waits for it may count on that.
      work = nullptr;
      post([this, call = std::move(call)](Napi::Env env) {
        if (--pending_ == 0) napi_unref_threadsafe_function(env, deliver_);
        if (call->status == TR_OK) call->deferred.Resolve(call->result(env));
        else call->deferred.Reject(failure(env, call->status, call->error).Value());
      });
      std::lock_guard<std::mutex> lock(mutex_);
      if (--running_ == 0) quiet_.notify_all();
    });
    return promise;
  }

  /// Has `post` done on the JavaScript thread, in the order of the calls; from any thread that works for this environment.
  void post(Post post) { napi_call_threadsafe_function(deliver_, new Post(std::move(post)), napi_tsfn_nonblocking); }

  std::set<std::shared_ptr<TrAbort>> aborts;

 private:
  static void settle(napi_env raw, napi_value, void*, void* data) {
    std::unique_ptr<Post> post(static_cast<Post*>(data));
    if (raw == nullptr) return;  // the environment is ending; nobody waits any more
    Napi::Env env(raw);
    Napi::HandleScope scope(env);
    try {
      (*post)(env);
    } catch (const Napi::Error&) {
      // A thread that is being terminated runs no JavaScript, and nobody there waits any more.
    }
  }
  static void close(void* data) {
    Environment* self = static_cast<Environment*>(data);
    for (const auto& abort : self->aborts) tr_abort_set(abort.get());
    std::unique_lock<std::mutex> lock(self->mutex_);
    self->quiet_.wait(lock, [self] { return self->running_ == 0; });
  }

  napi_threadsafe_function deliver_ = nullptr;
  int pending_ = 0;  // JavaScript thread only
  std::mutex mutex_;
  std::condition_variable quiet_;
  int running_ = 0;
};

using Learner = std::shared_ptr<TrLearner>;
using Store = std::shared_ptr<TrStore>;
using Abort = std::shared_ptr<TrAbort>;
using Pin = std::shared_ptr<TrPin>;

template <class T>
Napi::Value wrap(Napi::Env env, T value) {
  return Napi::External<T>::New(env, new T(std::move(value)), [](Napi::Env, T* p) { delete p; });
}
template <class T>
T& unwrap(const Napi::CallbackInfo& info, size_t index) {
  T& value = *info[index].As<Napi::External<T>>().Data();
  if (value == nullptr) throw failure(info.Env(), TR_NO_STORE, "the engine was disposed");
  return value;
}

template <class T, class Array>
std::shared_ptr<std::vector<T>> copyOf(const Napi::Value& value) {
  Array array = value.As<Array>();
  const T* data = reinterpret_cast<const T*>(array.Data());
  return std::make_shared<std::vector<T>>(data, data + array.ElementLength());
}
auto ints(const Napi::Value& value) { return copyOf<int32_t, Napi::Int32Array>(value); }
auto words(const Napi::Value& value) { return copyOf<uint32_t, Napi::Uint32Array>(value); }
auto floats(const Napi::Value& value) { return copyOf<float, Napi::Float32Array>(value); }

template <class Array, class T>
Napi::Value arrayOf(Napi::Env env, const T* data, size_t n) {
  Array array = Array::New(env, n);
  if (n > 0) std::memcpy(array.Data(), data, n * sizeof(T));
  return array;
}

Environment& environment(const Napi::CallbackInfo& info) { return *info.Env().GetInstanceData<Environment>(); }
void demand(Napi::Env env, TrStatus status) {
  if (status != TR_OK) throw failure(env, status, tr_last_error());
}
int32_t intAt(const Napi::Object& object, const char* key) { return object.Get(key).As<Napi::Number>().Int32Value(); }
double numberAt(const Napi::Object& object, const char* key) { return object.Get(key).As<Napi::Number>().DoubleValue(); }

TrShape shapeOf(const Napi::Object& o) {
  TrShape shape{intAt(o, "vocabSize"),       intAt(o, "hiddenSize"),
          intAt(o, "layers"),          intAt(o, "heads"),
          intAt(o, "kvHeads"),         intAt(o, "headSize"),
          intAt(o, "intermediateSize"), intAt(o, "maxPositions"),
          numberAt(o, "ropeTheta"),    numberAt(o, "rmsNormEpsilon"),
          o.Get("tieEmbeddings").ToBoolean(), o.Get("qkNorm").ToBoolean(),
          o.Get("qkvBias").ToBoolean(), 0, 0, 0, 0};
  if (o.Get("ropeScaling").IsObject()) {
    Napi::Object scaling = o.Get("ropeScaling").As<Napi::Object>();
    shape.ropeFactor = numberAt(scaling, "factor");
    shape.ropeLowFrequencyFactor = numberAt(scaling, "lowFrequencyFactor");
    shape.ropeHighFrequencyFactor = numberAt(scaling, "highFrequencyFactor");
    shape.ropeOriginalPositions = numberAt(scaling, "originalPositions");
  }
  return shape;
}

// ---- module functions, in the order of `NativeAddon` in src/addon.ts -------------------------------------------------

TrFormat formatOf(const Napi::Value& value) { return static_cast<TrFormat>(value.As<Napi::Number>().Int32Value()); }

Napi::Value kernelSets(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), tr_kernel_sets(formatOf(info[0]))); }

Napi::Value kernelSet(const Napi::CallbackInfo& info) {
  const char* name = nullptr;
  demand(info.Env(), tr_kernel_set(formatOf(info[0]), &name));
  return Napi::String::New(info.Env(), name);
}

Napi::Value threads(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), tr_threads()); }

Napi::Value philox(const Napi::CallbackInfo& info) {
  auto key = words(info[0]), counter = words(info[1]);
  uint32_t out[4];
  tr_philox(key->data(), counter->data(), out);
  return arrayOf<Napi::Uint32Array>(info.Env(), out, 4);
}

Napi::Value measurePeaks(const Napi::CallbackInfo& info) {
  auto peaks = std::make_shared<TrPeaks>();
  return environment(info).start(
      info.Env(), [peaks] { return tr_measure_peaks(peaks.get()); },
      [peaks](Napi::Env env) -> Napi::Value {
        Napi::Object o = Napi::Object::New(env);
        o.Set("fmaOneThread", peaks->fmaOneThread);
        o.Set("fmaAllThreads", peaks->fmaAllThreads);
        o.Set("bf16OneThread", peaks->bf16OneThread);
        o.Set("bf16AllThreads", peaks->bf16AllThreads);
        o.Set("readOneThread", peaks->readOneThread);
        o.Set("readAllThreads", peaks->readAllThreads);
        o.Set("threads", peaks->threads);
        return o;
      });
}

/// `targets` holds the text that the options borrow.
TrLearnerOptions optionsOf(const Napi::Object& o, std::string* targets) {
  *targets = o.Get("adapterTargets").As<Napi::String>().Utf8Value();
  return {intAt(o, "threads"),     intAt(o, "recompute"),       intAt(o, "format"),  o.Get("fastGradients").ToBoolean(),
          intAt(o, "ranks"),       intAt(o, "adapterRank"),     numberAt(o, "adapterAlpha"), targets->c_str(),
          o.Get("shared").ToBoolean(), o.Get("blank").ToBoolean(), intAt(o, "olderVersions")};
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  TrShape shape = shapeOf(info[0].As<Napi::Object>());
  std::string targets;
  TrLearnerOptions options = optionsOf(info[1].As<Napi::Object>(), &targets);
  Napi::Object o = info[2].As<Napi::Object>();
  TrMemoryUse use{(int64_t)numberAt(o, "trainedTokens"), (int64_t)numberAt(o, "sampledSequences"),
                  (int64_t)numberAt(o, "sampledTokens"), (int64_t)numberAt(o, "cacheBytes"), o.Get("keepsReference").ToBoolean()};
  TrMemoryEntry entries[64];
  int64_t count = 0;
  demand(info.Env(), tr_memory(&shape, &options, &use, entries, 64, &count));
  Napi::Array out = Napi::Array::New(info.Env(), count);
  for (int64_t i = 0; i < count; i++) {
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("name", entries[i].name);
    entry.Set("kind", entries[i].kind);
    entry.Set("bytes", (double)entries[i].bytes);
    out.Set((uint32_t)i, entry);
  }
  return out;
}

Napi::Value createLearner(const Napi::CallbackInfo& info) {
  TrShape shape = shapeOf(info[0].As<Napi::Object>());
  auto seed = words(info[1]);
  uint64_t key = (*seed)[0] | (uint64_t)(*seed)[1] << 32;
  auto targets = std::make_shared<std::string>();
  TrLearnerOptions options = optionsOf(info[2].As<Napi::Object>(), targets.get());
  auto made = std::make_shared<Learner>();
  return environment(info).start(
      info.Env(),
      [=] {
        TrLearner* learner = nullptr;
        (void)targets;  // the options borrow it
        TrStatus status = tr_learner_create(&shape, key, &options, &learner);
        if (status == TR_OK) *made = Learner(learner, tr_learner_free);
        return status;
      },
      [made](Napi::Env env) { return wrap(env, *made); });
}

Napi::Value releaseLearner(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<Learner>>().Data()->reset();
  return info.Env().Undefined();
}

Napi::Value tensorList(const Napi::CallbackInfo& info, int64_t (*list)(const TrLearner*, const TrTensor**)) {
  const TrTensor* found;
  int64_t count = list(unwrap<Learner>(info, 0).get(), &found);
  Napi::Array out = Napi::Array::New(info.Env(), count);
  for (int64_t i = 0; i < count; i++) {
    Napi::Object o = Napi::Object::New(info.Env());
    Napi::Array shape = Napi::Array::New(info.Env());
    shape.Set(0u, (double)found[i].rows);
    if (found[i].columns > 0) shape.Set(1u, (double)found[i].columns);
    o.Set("name", found[i].name);
    o.Set("offset", (double)found[i].offset);
    o.Set("shape", shape);
    out.Set((uint32_t)i, o);
  }
  return out;
}

Napi::Value tensors(const Napi::CallbackInfo& info) { return tensorList(info, tr_learner_tensors); }
Napi::Value trainable(const Napi::CallbackInfo& info) { return tensorList(info, tr_learner_trainable); }

struct Scored {
  explicit Scored(size_t n, int64_t topK = 0) : logprobs(n), entropies(n), topIds(n * topK), topLogprobs(n * topK) {}
  std::vector<float> logprobs, entropies;
  std::vector<int32_t> topIds;
  std::vector<float> topLogprobs;
};
Napi::Object scores(Napi::Env env, const Scored& s) {
  Napi::Object o = Napi::Object::New(env);
  o.Set("logprobs_N", arrayOf<Napi::Float32Array>(env, s.logprobs.data(), s.logprobs.size()));
  o.Set("entropies_N", arrayOf<Napi::Float32Array>(env, s.entropies.data(), s.entropies.size()));
  return o;
}

/// The arguments from number `first` on are packed sequences and their temperature.
template <class Function>
Napi::Value startLearnerScoring(const Napi::CallbackInfo& info, size_t first, Function function) {
  Learner learner = unwrap<Learner>(info, 0);
  auto tokens = ints(info[first]), offsets = ints(info[first + 1]);
  float temperature = info[first + 2].As<Napi::Number>().FloatValue();
  auto out = std::make_shared<Scored>(tokens->size());
  return environment(info).start(
      info.Env(),
      [=] {
        return function(learner.get(), tokens->data(), (int64_t)tokens->size(), offsets->data(), (int64_t)offsets->size() - 1,
                        temperature, out->logprobs.data(), out->entropies.data());
      },
      [out](Napi::Env env) { return scores(env, *out); });
}

Napi::Value learnerForward(const Napi::CallbackInfo& info) {
  int32_t rank = info[1].As<Napi::Number>().Int32Value();
  return startLearnerScoring(info, 2, [rank](TrLearner* learner, auto... arguments) { return tr_learner_forward(learner, rank, arguments...); });
}
Napi::Value scoreReference(const Napi::CallbackInfo& info) { return startLearnerScoring(info, 1, tr_learner_score_reference); }
Napi::Value keepReference(const Napi::CallbackInfo& info) {
  tr_learner_keep_reference(unwrap<Learner>(info, 0).get());
  return info.Env().Undefined();
}

/// The version that is live when JavaScript makes the call, whenever a thread takes it up; or the one that it names.
Pin pin(const Napi::CallbackInfo& info, Store& store, int64_t version = -1) {
  TrPin* held = nullptr;
  demand(info.Env(), tr_store_pin(store.get(), version, &held));
  return Pin(held, tr_pin_free);
}

Napi::Value storeScore(const Napi::CallbackInfo& info) {
  Pin held = pin(info, unwrap<Store>(info, 0));
  auto tokens = ints(info[1]), offsets = ints(info[2]);
  float temperature = info[3].As<Napi::Number>().FloatValue();
  int32_t topK = info[4].As<Napi::Number>().Int32Value();
  auto out = std::make_shared<Scored>(tokens->size(), std::max(topK, 0));
  return environment(info).start(
      info.Env(),
      [=] {
        return tr_pin_score(held.get(), tokens->data(), (int64_t)tokens->size(), offsets->data(), (int64_t)offsets->size() - 1,
                              temperature, out->logprobs.data(), out->entropies.data(), topK, out->topIds.data(),
                              out->topLogprobs.data());
      },
      [out, topK](Napi::Env env) {
        Napi::Object o = scores(env, *out);
        if (topK == 0) return o;
        o.Set("topIds_NK", arrayOf<Napi::Int32Array>(env, out->topIds.data(), out->topIds.size()));
        o.Set("topLogprobs_NK", arrayOf<Napi::Float32Array>(env, out->topLogprobs.data(), out->topLogprobs.size()));
        return o;
      });
}

Napi::Value learnerBackward(const Napi::CallbackInfo& info) {
  Learner learner = unwrap<Learner>(info, 0);
  int32_t rank = info[1].As<Napi::Number>().Int32Value();
  auto dLogprobs = floats(info[2]), dEntropies = floats(info[3]);
  return environment(info).start(
      info.Env(),
      [=] { return tr_learner_backward(learner.get(), rank, dLogprobs->data(), dEntropies->data(), (int64_t)dLogprobs->size()); },
      [](Napi::Env env) { return env.Undefined(); });
}

Napi::Value learnerStep(const Napi::CallbackInfo& info) {
  Learner learner = unwrap<Learner>(info, 0);
  Napi::Object o = info[1].As<Napi::Object>();
  TrOptimizerStep step{(float)numberAt(o, "learningRate"), (float)numberAt(o, "beta1"),       (float)numberAt(o, "beta2"),
                       (float)numberAt(o, "epsilon"),      (float)numberAt(o, "weightDecay"), (float)numberAt(o, "maxGradNorm"),
                       o.Get("decayVectors").ToBoolean()};
  auto norm = std::make_shared<double>(0);
  return environment(info).start(
      info.Env(), [=] { return tr_learner_step(learner.get(), &step, norm.get()); },
      [norm](Napi::Env env) { return Napi::Number::New(env, *norm); });
}

Napi::Value resetOptimizer(const Napi::CallbackInfo& info) {
  tr_learner_reset_optimizer(unwrap<Learner>(info, 0).get());
  return info.Env().Undefined();
}

Napi::Value stepCount(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), (double)tr_learner_step_count(unwrap<Learner>(info, 0).get()));
}

Napi::Value setStepCount(const Napi::CallbackInfo& info) {
  tr_learner_set_step_count(unwrap<Learner>(info, 0).get(), info[1].As<Napi::Number>().Int64Value());
  return info.Env().Undefined();
}

Napi::Value readArray(const Napi::CallbackInfo& info) {
  Learner learner = unwrap<Learner>(info, 0);
  TrArray which = (TrArray)info[1].As<Napi::Number>().Int32Value();
  int64_t offset = info[2].As<Napi::Number>().Int64Value();
  auto out = std::make_shared<std::vector<float>>(info[3].As<Napi::Number>().Int64Value());
  return environment(info).start(
      info.Env(), [=] { return tr_learner_read(learner.get(), which, offset, out->data(), (int64_t)out->size()); },
      [out](Napi::Env env) { return arrayOf<Napi::Float32Array>(env, out->data(), out->size()); });
}

/// The tensors of `FileTensor[]`.
std::shared_ptr<std::vector<TrFileTensor>> fileTensors(const Napi::Value& value) {
  Napi::Array list = value.As<Napi::Array>();
  auto tensors = std::make_shared<std::vector<TrFileTensor>>();
  for (uint32_t i = 0; i < list.Length(); i++) {
    Napi::Object o = list.Get(i).As<Napi::Object>();
    tensors->push_back({intAt(o, "file"), intAt(o, "element"), (int64_t)numberAt(o, "position"), (int64_t)numberAt(o, "offset"),
                        (int64_t)numberAt(o, "length")});
  }
  return tensors;
}

/// Runs `work` elsewhere; the promise resolves with its `FileFault`, or undefined.
Napi::Value startOnFiles(const Napi::CallbackInfo& info, std::function<TrStatus(TrFileFault*)> work) {
  auto fault = std::make_shared<TrFileFault>();
  return environment(info).start(
      info.Env(), [fault, work = std::move(work)] { return work(fault.get()); },
      [fault](Napi::Env env) -> Napi::Value {
        if (fault->problem == TR_FILE_SOUND) return env.Undefined();
        Napi::Object o = Napi::Object::New(env);
        o.Set("problem", fault->problem);
        o.Set("error", fault->error);
        o.Set("tensor", (double)fault->tensor);
        o.Set("index", (double)fault->index);
        o.Set("value", fault->value);
        return o;
      });
}

Napi::Value checkFiles(const Napi::CallbackInfo& info) {
  auto tensors = fileTensors(info[0]);
  int32_t threads = info[1].As<Napi::Number>().Int32Value();
  return startOnFiles(info, [=](TrFileFault* fault) { return tr_check_files(tensors->data(), (int64_t)tensors->size(), threads, fault); });
}

template <class Function>
Napi::Value startTransfer(const Napi::CallbackInfo& info, Function function) {
  Learner learner = unwrap<Learner>(info, 0);
  TrArray which = (TrArray)info[1].As<Napi::Number>().Int32Value();
  auto tensors = fileTensors(info[2]);
  int32_t threads = info[3].As<Napi::Number>().Int32Value();
  return startOnFiles(info, [=](TrFileFault* fault) {
    return function(learner.get(), which, tensors->data(), (int64_t)tensors->size(), threads, fault);
  });
}
Napi::Value loadFiles(const Napi::CallbackInfo& info) { return startTransfer(info, tr_learner_load); }
Napi::Value saveFiles(const Napi::CallbackInfo& info) { return startTransfer(info, tr_learner_save); }

Napi::Value packWeights(const Napi::CallbackInfo& info) {
  Learner learner = unwrap<Learner>(info, 0);
  return environment(info).start(
      info.Env(), [=] { return tr_learner_pack(learner.get()); }, [](Napi::Env env) { return env.Undefined(); });
}

Napi::Value publish(const Napi::CallbackInfo& info) {
  int64_t published = 0;
  demand(info.Env(), tr_learner_publish(unwrap<Learner>(info, 0).get(), info[1].As<Napi::Number>().Int64Value(), &published));
  return Napi::Number::New(info.Env(), (double)published);
}

Napi::Value storeId(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), (double)tr_learner_store(unwrap<Learner>(info, 0).get()));
}

Napi::Value openStore(const Napi::CallbackInfo& info) {
  TrStore* store = nullptr;
  demand(info.Env(), tr_store_open(info[0].As<Napi::Number>().Int64Value(), &store));
  return wrap(info.Env(), Store(store, tr_store_close));
}

Napi::Value attachStore(const Napi::CallbackInfo& info) {
  TrStore* store = nullptr;
  demand(info.Env(), tr_store_attach(info[0].As<Napi::String>().Utf8Value().c_str(), &store));
  return wrap(info.Env(), Store(store, tr_store_close));
}

Napi::Value storeHandle(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), tr_store_handle(unwrap<Store>(info, 0).get()));
}

Napi::Value heldVersions(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), (double)tr_store_held_versions(unwrap<Store>(info, 0).get()));
}

Napi::Value releaseStore(const Napi::CallbackInfo& info) {
  info[0].As<Napi::External<Store>>().Data()->reset();
  return info.Env().Undefined();
}

Napi::Value storeVersion(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), (double)tr_store_version(unwrap<Store>(info, 0).get()));
}

Napi::Value storeLimits(const Napi::CallbackInfo& info) {
  TrShape shape;
  tr_store_shape(unwrap<Store>(info, 0).get(), &shape);
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("vocabSize", shape.vocabSize);
  o.Set("maxPositions", shape.maxPositions);
  return o;
}

Napi::Value createAbort(const Napi::CallbackInfo& info) {
  return wrap(info.Env(), Abort(tr_abort_create(), tr_abort_free));
}

Napi::Value setAbort(const Napi::CallbackInfo& info) {
  tr_abort_set(unwrap<Abort>(info, 0).get());
  return info.Env().Undefined();
}

/// The arrays of a generate call, owned while it runs; fields as in `FlatRequests` of src/addon.ts.
struct RequestArrays {
  std::vector<std::shared_ptr<void>> owners;
  TrRequests view{};

  explicit RequestArrays(const Napi::Object& o) {
    auto int32s = [&](const char* key) { return keep(ints(o.Get(key))); };
    auto float32s = [&](const char* key) { return keep(floats(o.Get(key))); };
    view.count = (int64_t)o.Get("maxTokens").As<Napi::Int32Array>().ElementLength();
    view.promptTokens = int32s("promptTokens"), view.promptOffsets = int32s("promptOffsets");
    view.forcedTokens = int32s("forcedTokens"), view.forcedOffsets = int32s("forcedOffsets");
    view.stopTokens = int32s("stopTokens"), view.stopOffsets = int32s("stopOffsets");
    view.biasTokens = int32s("biasTokens"), view.biasOffsets = int32s("biasOffsets");
    view.biasValues = float32s("biasValues");
    view.maxTokens = int32s("maxTokens"), view.topK = int32s("topK");
    view.temperature = float32s("temperature"), view.topP = float32s("topP"), view.minP = float32s("minP");
    view.seeds = keep(words(o.Get("seeds")));
    view.stopBytes = keep(copyOf<uint8_t, Napi::Uint8Array>(o.Get("stopBytes")));
    view.stopByteOffsets = int32s("stopByteOffsets"), view.stopStringOffsets = int32s("stopStringOffsets");
    view.ruleLimits = int32s("ruleLimits"), view.ruleOffsets = int32s("ruleOffsets");
    view.fromTokens = int32s("fromTokens"), view.fromOffsets = int32s("fromOffsets");
    view.untilTokens = int32s("untilTokens"), view.untilOffsets = int32s("untilOffsets");
    view.injectTokens = int32s("injectTokens"), view.injectOffsets = int32s("injectOffsets");
  }

 private:
  template <class T>
  const T* keep(std::shared_ptr<std::vector<T>> array) {
    owners.push_back(array);
    return array->data();
  }
};

/// Tokens on their way to a JavaScript function: those of many iterations travel together when it is slow.
class TokenStream : public std::enable_shared_from_this<TokenStream> {
 public:
  TokenStream(Environment& environment, Napi::Function listener)
      : environment_(environment), listener_(Napi::Persistent(listener)) {}

  static void push(void* self, const int32_t* requests, const int32_t* tokens, int64_t n) {
    static_cast<TokenStream*>(self)->add(requests, tokens, n);
  }

 private:
  void add(const int32_t* requests, const int32_t* tokens, int64_t n) {
    std::lock_guard<std::mutex> lock(mutex_);
    bool isUnderway = !tokens_.empty();
    requests_.insert(requests_.end(), requests, requests + n);
    tokens_.insert(tokens_.end(), tokens, tokens + n);
    if (!isUnderway) environment_.post([self = shared_from_this()](Napi::Env env) { self->deliver(env); });
  }
  void deliver(Napi::Env env) {
    std::vector<int32_t> requests, tokens;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      requests.swap(requests_);
      tokens.swap(tokens_);
    }
    listener_.Call({arrayOf<Napi::Int32Array>(env, requests.data(), requests.size()),
                    arrayOf<Napi::Int32Array>(env, tokens.data(), tokens.size())});
  }

  Environment& environment_;
  Napi::FunctionReference listener_;  // JavaScript thread only
  std::mutex mutex_;
  std::vector<int32_t> requests_, tokens_;
};

Napi::Value setVocabulary(const Napi::CallbackInfo& info) {
  auto bytes = copyOf<uint8_t, Napi::Uint8Array>(info[1]);
  auto offsets = ints(info[2]);
  demand(info.Env(), tr_store_set_vocabulary(unwrap<Store>(info, 0).get(), bytes->data(), (int64_t)bytes->size(), offsets->data(),
                                             (int64_t)offsets->size() - 1));
  return info.Env().Undefined();
}

Napi::Value limitCache(const Napi::CallbackInfo& info) {
  tr_store_limit_cache(unwrap<Store>(info, 0).get(), info[1].As<Napi::Number>().Int64Value());
  return info.Env().Undefined();
}

Napi::Value cache(const Napi::CallbackInfo& info) {
  TrCache c;
  tr_store_cache(unwrap<Store>(info, 0).get(), &c);
  Napi::Object o = Napi::Object::New(info.Env());
  o.Set("blocks", (double)c.blocks);
  o.Set("blockBytes", (double)c.blockBytes);
  o.Set("blockTokens", (double)c.blockTokens);
  o.Set("lent", (double)c.lent);
  o.Set("mostLent", (double)c.mostLent);
  o.Set("preemptions", (double)c.preemptions);
  o.Set("sharedTokens", (double)c.sharedTokens);
  return o;
}

Napi::Value storeGenerate(const Napi::CallbackInfo& info) {
  Pin held = pin(info, unwrap<Store>(info, 0), info[5].As<Napi::Number>().Int64Value());
  auto requests = std::make_shared<RequestArrays>(info[1].As<Napi::Object>());
  int32_t maxInFlight = info[2].As<Napi::Number>().Int32Value();
  Abort abort = unwrap<Abort>(info, 3);
  auto out = std::shared_ptr<TrCompletions>(new TrCompletions{}, [](TrCompletions* c) {
    tr_completions_free(c);
    delete c;
  });
  Environment& env = environment(info);
  std::shared_ptr<TokenStream> stream;
  if (info[4].IsFunction()) stream = std::make_shared<TokenStream>(env, info[4].As<Napi::Function>());
  env.aborts.insert(abort);
  return env.start(
      info.Env(),
      [=, listener = stream.get()] {
        return tr_pin_generate(held.get(), &requests->view, maxInFlight, abort.get(), listener ? TokenStream::push : nullptr,
                                 listener, out.get());
      },
      // The stream is let go of where its function may be: on this thread.
      [out, abort, stream, &env](Napi::Env js) -> Napi::Value {
        env.aborts.erase(abort);
        Napi::Object o = Napi::Object::New(js);
        o.Set("tokens", arrayOf<Napi::Int32Array>(js, out->tokens, out->total));
        o.Set("logprobs", arrayOf<Napi::Float32Array>(js, out->logprobs, out->total));
        o.Set("entropies", arrayOf<Napi::Float32Array>(js, out->entropies, out->total));
        o.Set("origins", arrayOf<Napi::Uint8Array>(js, out->origins, out->total));
        o.Set("offsets", arrayOf<Napi::Int32Array>(js, out->offsets, out->count + 1));
        o.Set("stopReasons", arrayOf<Napi::Uint8Array>(js, out->stopReasons, out->count));
        o.Set("version", Napi::Number::New(js, (double)out->version));
        return o;
      });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  struct Entry {
    const char* name;
    Napi::Value (*function)(const Napi::CallbackInfo&);
  };
  for (Entry e : {Entry{"kernelSets", kernelSets}, {"kernelSet", kernelSet}, {"threads", threads}, {"philox", philox},
                  {"measurePeaks", measurePeaks}, {"memory", memory}, {"createLearner", createLearner}, {"releaseLearner", releaseLearner},
                  {"tensors", tensors}, {"trainable", trainable}, {"learnerForward", learnerForward}, {"learnerBackward", learnerBackward},
                  {"learnerStep", learnerStep}, {"resetOptimizer", resetOptimizer}, {"stepCount", stepCount},
                  {"setStepCount", setStepCount}, {"readArray", readArray}, {"checkFiles", checkFiles}, {"loadFiles", loadFiles},
                  {"saveFiles", saveFiles}, {"packWeights", packWeights},
                  {"publish", publish}, {"keepReference", keepReference}, {"scoreReference", scoreReference},
                  {"storeId", storeId}, {"openStore", openStore}, {"attachStore", attachStore}, {"storeHandle", storeHandle},
                  {"heldVersions", heldVersions}, {"releaseStore", releaseStore},
                  {"storeVersion", storeVersion}, {"storeLimits", storeLimits}, {"createAbort", createAbort},
                  {"setAbort", setAbort}, {"storeScore", storeScore}, {"storeGenerate", storeGenerate},
                  {"setVocabulary", setVocabulary}, {"limitCache", limitCache}, {"cache", cache}})
    exports.Set(e.name, Napi::Function::New(env, e.function, e.name));
  return exports;
}

}  // namespace

NODE_API_MODULE(troupe, initialise)
