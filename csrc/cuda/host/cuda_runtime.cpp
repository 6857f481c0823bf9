// Streams, events, graphs and memory of made-up devices. Everything is behind one lock: what counts
// is the order in which work is done and when, not speed.
#include "cuda/host/cuda_runtime.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "cuda/host/graph.h"
#include "runtime/lock.h"
#include "runtime/memory.h"

/// The recording that a stream has begun, and others have joined by waiting for its events.
struct symk_host_capture {
  symk_host_stream* origin = nullptr;
  symk_host_graph graph;
  bool refused = false;  // something was asked for that a recording cannot hold
};

struct symk_host_stream {
  int device = 0;
  std::deque<Work> work;
  uint64_t added = 0, done = 0;
  std::shared_ptr<symk_host_capture> recording;
  Ends ends;  // in the recording
};

struct symk_host_event {
  symk_host_stream* stream = nullptr;
  uint64_t after = 0;  // how many items of the stream must be done
  std::shared_ptr<symk_host_capture> recording;  // where it was recorded in one
  Ends ends;
};

namespace {

struct Allocation {
  size_t bytes = 0;
  int device = 0;
  bool pinned = false;
};

/// What tests set, and what they may ask for.
struct Settings {
  long long devices = 4, memory = 1LL << 40, pinned = 1LL << 40, driver = 13000, capability = 90;
  long long processors = 3;
  long long lost = -1;  // after so many more items of work the device of the item is lost
  long long late = 1;   // whether work waits until somebody waits for it
  long long peers = 1;  // whether devices reach each other's memory
  long long together = 12;  // how many blocks can wait for each other; 0: none
  long long launches = 0, replays = 0, copies = 0, pinned_copies = 0, peer_copies = 0, waits = 0;
  long long held = 0;         // bytes of devices
  long long allocations = 0;  // of devices, and of pinned memory
  long long undone = 0;       // items of work that nobody has waited for yet
  long long forked = 0;  // calls in a process that was forked after the first one: they are refused
  long long streams = 1LL << 40, open_streams = 0;  // the most there may be; those there are
  long long exhausted = 0;                          // whether the host has no memory for a stream
};

struct World {
  const uint32_t generation = symk::fork_generation();
  std::recursive_mutex lock;
  Settings settings;
  std::map<char*, Allocation> memory;
  std::map<int, size_t> used;
  std::map<int, bool> lost;
  std::vector<symk_host_stream*> streams;
};

World& world() {
  static World* const made = new World;  // outlives all who use it while the process ends
  return *made;
}

using Guard = std::lock_guard<std::recursive_mutex>;

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local symk_host_stream* recorded_here = nullptr;

cudaError_t failed(cudaError_t status) { return last_error = status; }

bool is_forked() {
  World& all = world();
  const Guard guard(all.lock);
  if (all.generation == symk::fork_generation()) return false;
  ++all.settings.forked;
  return true;
}

bool is_lost(int device) { return world().lost[device]; }

/// The allocation that an address lies in, or null.
const Allocation* allocation_of(const void* address) {
  auto& memory = world().memory;
  char* const place = static_cast<char*>(const_cast<void*>(address));
  auto after = memory.upper_bound(place);
  if (after == memory.begin()) return nullptr;
  --after;
  return place < after->first + std::max<size_t>(after->second.bytes, 1) ? &after->second : nullptr;
}

bool on_device(const void* address) {
  const Allocation* const found = allocation_of(address);
  return found != nullptr && !found->pinned;
}
bool is_pinned(const void* address) {
  const Allocation* const found = allocation_of(address);
  return found != nullptr && found->pinned;
}

void drain(symk_host_stream* stream, uint64_t until) {
  while (stream->done < until && !stream->work.empty()) {
    const Work next = std::move(stream->work.front());
    stream->work.pop_front();
    ++stream->done;
    --world().settings.undone;
    if (!is_lost(stream->device)) next();
  }
}

void drain_all() {
  for (symk_host_stream* stream : world().streams) drain(stream, stream->added);
}

/// Adds an item to a stream, or to what the stream records.
cudaError_t add(symk_host_stream* stream, Work work, long long together = 0) {
  Settings& settings = world().settings;
  if (is_lost(stream->device)) return failed(cudaErrorIllegalAddress);
  if (stream->recording != nullptr) {
    std::vector<symk_host_graph::Node>& nodes = stream->recording->graph.nodes;
    nodes.push_back({std::move(work), stream->ends, together});
    stream->ends = {nodes.size() - 1};
    return cudaSuccess;
  }
  if (settings.lost >= 0 && settings.lost-- == 0) world().lost[stream->device] = true;
  stream->work.push_back(std::move(work));
  ++stream->added;
  ++settings.undone;
  if (settings.late == 0) drain(stream, stream->added);
  return cudaSuccess;
}

/// What CUDA refuses while a thread records: the recording is over.
cudaError_t refuse_recording(symk_host_stream* stream,
                             cudaError_t status = cudaErrorStreamCaptureUnsupported) {
  stream->recording->refused = true;
  return failed(status);
}

/// A copy from memory of a device or pinned memory. The device is lost when what it reads or writes
/// is freed before.
Work copying(void* to, const void* from, size_t bytes, int device) {
  const bool to_plain = allocation_of(to) == nullptr;  // is done before the call returns
  return [=] {
    if (allocation_of(from) != nullptr && (to_plain || allocation_of(to) != nullptr)) {
      std::memcpy(to, from, bytes);
    } else {
      world().lost[device] = true;
    }
  };
}

}  // namespace

// --- for tests ---

namespace {

long long* setting(const char* name) {
  Settings& of = world().settings;
  const std::pair<const char*, long long*> all[] = {
      {"devices", &of.devices},
      {"memory", &of.memory},
      {"pinned", &of.pinned},
      {"driver", &of.driver},
      {"capability", &of.capability},
      {"processors", &of.processors},
      {"lost", &of.lost},
      {"late", &of.late},
      {"peers", &of.peers},
      {"together", &of.together},
      {"launches", &of.launches},
      {"replays", &of.replays},
      {"copies", &of.copies},
      {"pinned_copies", &of.pinned_copies},
      {"peer_copies", &of.peer_copies},
      {"waits", &of.waits},
      {"held", &of.held},
      {"allocations", &of.allocations},
      {"undone", &of.undone},
      {"forked", &of.forked},
      {"streams", &of.streams},
      {"open_streams", &of.open_streams},
      {"exhausted", &of.exhausted},
  };
  for (const auto& [known, place] : all) {
    if (std::strcmp(known, name) == 0) return place;
  }
  return nullptr;
}

}  // namespace

extern "C" {

/// Sets a field of Settings; whether there is one of that name. Setting "lost" finds lost devices.
__attribute__((visibility("default"))) int symk_cuda_host_set(const char* name, long long value) {
  const Guard guard(world().lock);
  long long* const place = setting(name);
  if (place == nullptr) return 0;
  *place = value;
  if (std::strcmp(name, "lost") == 0) world().lost.clear();
  return 1;
}

__attribute__((visibility("default"))) long long symk_cuda_host_get(const char* name) {
  const Guard guard(world().lock);
  const long long* const place = setting(name);
  return place == nullptr ? -1 : *place;
}

}  // extern "C"

// --- errors and devices ---

const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInsufficientDriver: return "the driver is too old for the runtime";
    case cudaErrorNoDevice: return "no device was found";
    case cudaErrorIllegalAddress: return "an illegal address was used";
    case cudaErrorStreamCaptureUnsupported: return "not possible while a stream is recorded";
    default: return "an error of the stand-in for CUDA";
  }
}

cudaError_t cudaGetLastError() {
  const cudaError_t status = last_error;
  last_error = cudaSuccess;
  return status;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = static_cast<int>(world().settings.driver);
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  const Settings& settings = world().settings;
  *count = 0;
  if (settings.driver < 12000) return failed(cudaErrorInsufficientDriver);
  if (settings.devices == 0) return failed(cudaErrorNoDevice);
  *count = static_cast<int>(settings.devices);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int capability = static_cast<int>(world().settings.capability);
  std::snprintf(properties->name, sizeof properties->name, "stand-in");
  properties->major = capability / 10;
  properties->minor = capability % 10;
  properties->multiProcessorCount = static_cast<int>(world().settings.processors);
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (is_forked()) return failed(cudaErrorInitializationError);
  if (device < 0) return failed(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
  *can = world().settings.peers != 0;
  return cudaSuccess;
}

cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }

// --- memory ---

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  World& all = world();
  const Guard guard(all.lock);
  if (is_lost(current_device)) return failed(cudaErrorIllegalAddress);
  if (recorded_here != nullptr) return refuse_recording(recorded_here);
  size_t& used = all.used[current_device];
  if (used + bytes > static_cast<size_t>(all.settings.memory))
    return failed(cudaErrorMemoryAllocation);
  *memory = symk::allocate_bytes(static_cast<int64_t>(bytes));
  std::memset(*memory, 0xA5, bytes);  // fresh memory has any content
  used += bytes;
  all.settings.held += static_cast<long long>(bytes);
  ++all.settings.allocations;
  all.memory[static_cast<char*>(*memory)] = {bytes, current_device, false};
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  if (is_forked()) return failed(cudaErrorInitializationError);
  World& all = world();
  const Guard guard(all.lock);
  if (memory == nullptr) return cudaSuccess;
  drain_all();
  const auto found = all.memory.find(static_cast<char*>(memory));
  if (found == all.memory.end() || found->second.pinned) return failed(cudaErrorInvalidValue);
  all.used[found->second.device] -= found->second.bytes;
  all.settings.held -= static_cast<long long>(found->second.bytes);
  symk::release_bytes(memory, static_cast<int64_t>(found->second.bytes));
  all.memory.erase(found);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  World& all = world();
  const Guard guard(all.lock);
  if (static_cast<long long>(bytes) > all.settings.pinned) return failed(cudaErrorMemoryAllocation);
  *memory = symk::allocate_bytes(static_cast<int64_t>(bytes));
  ++all.settings.allocations;
  all.memory[static_cast<char*>(*memory)] = {bytes, current_device, true};
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
  if (is_forked()) return failed(cudaErrorInitializationError);
  World& all = world();
  const Guard guard(all.lock);
  if (memory == nullptr) return cudaSuccess;
  const auto found = all.memory.find(static_cast<char*>(memory));
  if (found == all.memory.end() || !found->second.pinned) return failed(cudaErrorInvalidValue);
  symk::release_bytes(memory, static_cast<int64_t>(found->second.bytes));
  all.memory.erase(found);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  World& all = world();
  const Guard guard(all.lock);
  *total = static_cast<size_t>(all.settings.memory);
  *free = *total - std::min(*total, all.used[current_device]);
  return cudaSuccess;
}

// --- streams and events ---

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  World& all = world();
  const Guard guard(all.lock);
  if (is_lost(current_device)) return failed(cudaErrorIllegalAddress);
  if (all.settings.open_streams >= all.settings.streams)
    return failed(cudaErrorMemoryAllocation);
  if (all.settings.exhausted != 0) throw std::bad_alloc();
  ++all.settings.open_streams;
  *stream = new symk_host_stream;
  (*stream)->device = current_device;
  all.streams.push_back(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  World& all = world();
  const Guard guard(all.lock);
  drain(stream, stream->added);
  --all.settings.open_streams;
  all.streams.erase(std::find(all.streams.begin(), all.streams.end(), stream));
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Guard guard(world().lock);
  if (stream->recording != nullptr) return refuse_recording(stream);
  ++world().settings.waits;
  drain(stream, stream->added);
  return is_lost(stream->device) ? failed(cudaErrorIllegalAddress) : cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Guard guard(world().lock);
  if (event->stream == nullptr) return cudaSuccess;
  if (event->recording != nullptr) {  // the event is an edge, and the stream takes part
    if (stream->recording != nullptr && stream->recording != event->recording)
      return refuse_recording(stream, cudaErrorStreamCaptureMerge);
    if (stream->recording == nullptr) stream->ends.clear();
    stream->recording = event->recording;
    for (const size_t end : event->ends) {
      if (std::find(stream->ends.begin(), stream->ends.end(), end) == stream->ends.end())
        stream->ends.push_back(end);
    }
    return cudaSuccess;
  }
  if (stream->recording != nullptr)
    return refuse_recording(stream, cudaErrorStreamCaptureIsolation);
  symk_host_stream* const other = event->stream;
  const uint64_t after = event->after;
  return add(stream, [other, after] { drain(other, after); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new symk_host_event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Guard guard(world().lock);
  if (is_lost(stream->device)) return failed(cudaErrorIllegalAddress);
  *event = {stream, stream->added, stream->recording, stream->ends};
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (is_forked()) return failed(cudaErrorInitializationError);
  delete event;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Guard guard(world().lock);
  const bool from_host = kind == cudaMemcpyHostToDevice, to_host = kind == cudaMemcpyDeviceToHost;
  if (on_device(from) == from_host || on_device(to) == to_host)
    return failed(cudaErrorInvalidValue);
  Settings& settings = world().settings;
  const bool pinned = (from_host && is_pinned(from)) || (to_host && is_pinned(to));
  ++settings.copies;
  if (pinned) ++settings.pinned_copies;
  if ((from_host || to_host) && stream->recording != nullptr) return refuse_recording(stream);
  if (from_host && !pinned)  // may be read as late as pinned memory
    return add(stream, [=] { std::memcpy(to, from, bytes); });
  const cudaError_t status = add(stream, copying(to, from, bytes, stream->device));
  if (status == cudaSuccess && to_host && !pinned)
    drain(stream, stream->added);  // returns when done
  return status;
}

cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                size_t bytes, cudaStream_t stream) {
  const Guard guard(world().lock);
  const Allocation *const target = allocation_of(to), *const source = allocation_of(from);
  if (target == nullptr || source == nullptr || target->device != to_device ||
      source->device != from_device)
    return failed(cudaErrorInvalidValue);
  ++world().settings.peer_copies;
  return add(stream, copying(to, from, bytes, to_device));
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Guard guard(world().lock);
  return add(stream, [=] { std::memset(to, value, bytes); });
}

// --- recordings ---

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const Guard guard(world().lock);
  if (is_lost(stream->device)) return failed(cudaErrorIllegalAddress);
  stream->recording = std::make_shared<symk_host_capture>();
  stream->recording->origin = stream;
  stream->ends.clear();
  recorded_here = stream;
  return cudaSuccess;
}

/// All that other streams have added must have been waited for.
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Guard guard(world().lock);
  *graph = nullptr;
  recorded_here = nullptr;
  const std::shared_ptr<symk_host_capture> made = stream->recording;
  if (made == nullptr || made->origin != stream) return failed(cudaErrorStreamCaptureUnmatched);
  symk_host_graph& recorded = made->graph;
  const std::vector<bool> joined = symk::cuda::host::before(recorded, stream->ends);
  for (symk_host_stream* other : world().streams) {
    if (other->recording == made) other->recording = nullptr;
  }
  if (made->refused) return failed(cudaErrorStreamCaptureInvalidated);
  if (std::find(joined.begin(), joined.end(), false) != joined.end())
    return failed(cudaErrorStreamCaptureUnjoined);
  *graph = new symk_host_graph(std::move(recorded));
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) {
  *count = graph->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = new symk_host_graph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  const Guard guard(world().lock);
  ++world().settings.replays;
  if (symk::cuda::host::may_hang(*graph, world().settings.together))
    return failed(cudaErrorLaunchTimeout);
  for (const size_t node : symk::cuda::host::order_of(*graph, graph->launches++)) {
    const cudaError_t status = add(stream, graph->nodes[node].work);
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  if (is_forked()) return failed(cudaErrorInitializationError);
  delete graph;
  return cudaSuccess;
}

namespace symk::cuda::host {

cudaError_t launch(cudaStream_t stream, std::function<void()> kernel, long long together) {
  if (stream == nullptr) {  // of no device
    kernel();
    return cudaSuccess;
  }
  const Guard guard(world().lock);
  if (stream->recording == nullptr) ++world().settings.launches;
  return add(stream, std::move(kernel), together);
}

long long most_together() { return world().settings.together; }

}  // namespace symk::cuda::host
