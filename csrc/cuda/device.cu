// A GPU as a Device: memory, copies, a queue, recordings. The CUDA runtime is part of this shared
// object; the driver is looked for when the first device is opened. Compiled as C++ this is the
// device "cuda-host", over host/cuda_runtime.h.
#include "cuda/device.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "runtime/lock.h"
#include "runtime/memory.h"

namespace symk::cuda {

namespace {

#ifdef __CUDACC__
constexpr const char* kKind = "cuda";
#else
constexpr const char* kKind = "cuda-host";
#endif

/// What belongs to the process that made it: after a fork, CUDA is not asked for it in the child.
class OfProcess {
 protected:
  bool forked() const { return fork_generation() != generation_; }

 private:
  const uint32_t generation_ = fork_generation();
};

/// A CUDA stream.
class Stream {
 public:
  explicit Stream(int device) {
    check(cudaSetDevice(device), "cudaSetDevice");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Those of the recording that this thread makes, one for each branch.
thread_local std::vector<std::unique_ptr<Stream>> recorded_streams;

/// A CUDA event.
class EventMark final : public Mark, OfProcess {
 public:
  EventMark() {
    check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
  }
  ~EventMark() override {
    if (forked()) return;
    cudaEventDestroy(event_);
    cudaGetLastError();  // the next call shall not see this one's failure
  }
  EventMark(const EventMark&) = delete;
  EventMark& operator=(const EventMark&) = delete;
  cudaEvent_t event() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A CUDA graph.
class GraphRecording final : public Recording, OfProcess {
 public:
  /// Takes the graph over.
  explicit GraphRecording(cudaGraph_t graph) {
    size_t count = 0;
    cudaError_t status = cudaGraphGetNodes(graph, nullptr, &count);
    if (status == cudaSuccess) status = cudaGraphInstantiate(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
    size_ = static_cast<int64_t>(count);
  }
  ~GraphRecording() override {
    if (forked()) return;
    cudaGraphExecDestroy(graph_);
    cudaGetLastError();
  }
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  int64_t size() const override { return size_; }
  cudaGraphExec_t graph() const { return graph_; }

 private:
  cudaGraphExec_t graph_ = nullptr;
  int64_t size_ = 0;
};

class Gpu final : public QueuedDevice, OfProcess {
 public:
  Gpu(int number, const cudaDeviceProp& properties)
      : name_(std::string(kKind) + ":" + std::to_string(number)), stream_(number), beside_(number) {
    queue_.device = number;
    queue_.architecture = properties.major * 10 + properties.minor;
    queue_.tensor_cores = queue_.architecture >= 80;
    queue_.processors = properties.multiProcessorCount;
    queue_.own_stream = stream_.get();
  }

  const std::string& name() const override { return name_; }

  // --- memory ---

  void* allocate(int64_t bytes, Use use) override {
    enter();
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes > 0 ? aligned_size(bytes) : kAlignment);
    const cudaError_t status = cudaMalloc(&memory, size);
    if (status == cudaErrorMemoryAllocation) refuse(bytes, use);
    check(status, "cudaMalloc");
    held_.add(use, bytes);
    try {
      clear(memory, static_cast<int64_t>(size));
      synchronize();  // copies beside the queue may follow
    } catch (...) {
      release(memory, bytes, use);
      throw;
    }
    return memory;
  }
  void release(void* memory, int64_t bytes, Use use) noexcept override {
    held_.add(use, -bytes);
    if (forked()) return;  // it is the parent's
    cudaSetDevice(queue_.device);
    cudaFree(memory);  // waits for what still uses it
    cudaGetLastError();
  }

  int64_t take_most_held() override { return held_.take_most(); }

  void* pin(int64_t bytes) override {
    enter();
    void* memory = nullptr;
    const auto size = static_cast<size_t>(bytes > 0 ? bytes : kAlignment);
    const cudaError_t status = cudaHostAlloc(&memory, size, cudaHostAllocPortable);
    if (status == cudaSuccess) return memory;
    cudaGetLastError();
    return nullptr;
  }
  void unpin(void* memory) noexcept override {
    if (forked()) return;
    cudaStreamSynchronize(stream_.get());  // copies may still read it
    cudaStreamSynchronize(beside_.get());
    cudaFreeHost(memory);
    cudaGetLastError();
  }

  // --- copies ---

  /// Waits: CUDA does not promise that memory which is not pinned has been read before.
  void copy_in(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice, queue_.stream());
    synchronize();
  }
  void copy_out(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost, queue_.stream());
    synchronize();
  }
  void copy_in_pinned(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice, queue_.stream());
  }
  void copy_out_pinned(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost, queue_.stream());
  }
  std::unique_ptr<Mark> copy_in_beside(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice, beside_.get());
    return mark_of(beside_.get());
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToDevice, queue_.stream());
  }
  bool is_peer(const Device& other) const override {
    const std::string& name = other.name();
    return name.compare(0, name.find(':'), kKind) == 0;
  }
  void copy_from(Device& other, void* to, const void* from, int64_t bytes) override {
    if (bytes == 0) return;
    enter();
    const int source = static_cast<Gpu&>(other).queue_.device;
    check(cudaMemcpyPeerAsync(to, queue_.device, from, source, static_cast<size_t>(bytes),
                              queue_.stream()),
          "cudaMemcpyPeerAsync");
  }
  void clear(void* to, int64_t bytes) override {
    enter();
    check(cudaMemsetAsync(to, 0, static_cast<size_t>(bytes), queue_.stream()), "cudaMemsetAsync");
  }

  // --- order ---

  void synchronize() override {
    enter();
    check(cudaStreamSynchronize(queue_.stream()), "cudaStreamSynchronize");
  }
  std::unique_ptr<Mark> mark() override { return mark_of(queue_.stream()); }
  void after(const Mark& mark) override {
    enter();
    check(cudaStreamWaitEvent(queue_.stream(), static_cast<const EventMark&>(mark).event(), 0),
          "cudaStreamWaitEvent");
  }

  // --- recordings ---

  void begin_recording(int branches) override {
    enter();
    std::vector<std::unique_ptr<Stream>> streams;
    for (int i = 0; i < branches; ++i) streams.push_back(std::make_unique<Stream>(queue_.device));
    check(cudaStreamBeginCapture(streams[0]->get(), cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
    recorded_streams = std::move(streams);
    select_branch(0);
  }
  void select_branch(int number) override {
    recorded_stream = recorded_streams[static_cast<size_t>(number)]->get();
  }
  std::unique_ptr<Recording> end_recording() override {
    cudaGraph_t const graph = take_recording();
    return graph == nullptr ? nullptr : std::make_unique<GraphRecording>(graph);
  }
  void cancel_recording() noexcept override {
    if (cudaGraph_t const graph = take_recording()) cudaGraphDestroy(graph);
  }
  void replay(const Recording& recording) override {
    enter();
    check(cudaGraphLaunch(static_cast<const GraphRecording&>(recording).graph(), queue_.stream()),
          "cudaGraphLaunch");
  }

  // --- kernels ---

  BindFunction find_kernel(const std::string& name) const override {
    return symk::find_kernel(name);
  }
  std::vector<std::string> kernel_names() const override { return symk::kernel_names(); }

 private:
  void enter() const {
    if (forked()) {
      throw Error(ErrorCode::kDevice,
                  "[device " + name_ +
                      "] a device must be used by the process that opened it; this "
                      "one was forked from it. Start processes by the method \"spawn\".");
    }
    check(cudaSetDevice(queue_.device), "cudaSetDevice");
  }

  void move(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind,
            cudaStream_t stream) const {
    if (bytes == 0) return;
    enter();
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream), "cudaMemcpyAsync");
  }

  /// Ends what this thread records; null if it could not be recorded.
  static cudaGraph_t take_recording() noexcept {
    recorded_stream = nullptr;
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(recorded_streams[0]->get(), &graph);
    recorded_streams.clear();
    if (status == cudaSuccess) return graph;
    cudaGetLastError();
    return nullptr;
  }

  std::unique_ptr<Mark> mark_of(cudaStream_t stream) const {
    enter();
    auto made = std::make_unique<EventMark>();
    check(cudaEventRecord(made->event(), stream), "cudaEventRecord");
    return made;
  }

  [[noreturn]] void refuse(int64_t bytes, Use use) const {
    cudaGetLastError();  // the next call shall not see this one's failure
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error(ErrorCode::kMemory,
                "[device " + name_ + "] " + std::to_string(bytes) + " bytes are required for " +
                    Held::name(use) + "; " + std::to_string(free) + " of " + std::to_string(total) +
                    " are free, symk holds " + held_.text() + ". Use a smaller batch.");
  }

  const std::string name_;
  const Stream stream_, beside_;
  Held held_;
};

// --- opening ---

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Why a GPU cannot be used; empty if it can.
std::string reason_against(int number) {
  int driver = 0, runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "an NVIDIA driver is required; none was found. Install the driver.";
  }
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    return "a driver for CUDA " + std::to_string(runtime / 1000) +
           " is required; this one is for " + version_text(driver) + ". Update the driver.";
  }
  if (status != cudaSuccess) {
    return std::string("a GPU is required; the driver says: ") + cudaGetErrorString(status) + ".";
  }
  if (number >= count) {
    return "a GPU of number " + std::to_string(number) + " is required; there are " +
           std::to_string(count) + ", from 0 on.";
  }
  cudaDeviceProp properties = {};
  check(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
  if (properties.major * 10 + properties.minor < 75) {
    return std::string("a GPU of compute capability 7.5 or later is required; ") + properties.name +
           " has " + std::to_string(properties.major) + "." + std::to_string(properties.minor) +
           ".";
  }
  return "";
}

/// The devices that are open; they live as long as the process.
std::vector<std::pair<int, Gpu*>>& opened() {
  static std::vector<std::pair<int, Gpu*>> devices;
  return devices;
}

/// Lets two devices reach each other's memory; where they cannot, copies go through the host.
void make_peers(int one, int other) {
  int can = 0;
  if (cudaDeviceCanAccessPeer(&can, one, other) == cudaSuccess && can != 0) {
    cudaSetDevice(one);
    cudaDeviceEnablePeerAccess(other, 0);
  }
  cudaGetLastError();  // also when it was enabled before
}

Gpu* open(int number) {
  cudaDeviceProp properties = {};
  check(cudaGetDeviceProperties(&properties, number), "cudaGetDeviceProperties");
  auto made = std::make_unique<Gpu>(number, properties);
  for (const auto& [other, device] : opened()) {
    make_peers(number, other);
    make_peers(other, number);
  }
  opened().emplace_back(number, made.get());
  return made.release();
}

}  // namespace
}  // namespace symk::cuda

extern "C" __attribute__((visibility("default"))) symk::Device* symk_device_open(
    int number, const char* contract, char* message, int size) {
  const auto say = [&](const char* reason) {
    std::snprintf(message, static_cast<size_t>(size), "%s", reason);
  };
  try {
    std::string reason;
    if (std::strcmp(contract, SYMK_DEVICE_CONTRACT) != 0) {
      reason = std::string("its kernels were built for another state of symk (") +
               SYMK_DEVICE_CONTRACT + ") than this one (" + contract + "). Build symk again.";
    } else {
      reason = symk::cuda::reason_against(number);
    }
    if (reason.empty()) return symk::cuda::open(number);
    say(reason.c_str());
  } catch (const std::exception& error) {
    say(error.what());
  }
  return nullptr;
}
