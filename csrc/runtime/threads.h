// A fixed pool of threads. Work is split by shape, never by the number of threads, so results do
// not depend on it.
#pragma once

#include <cstdint>
#include <type_traits>

namespace symk {

class ThreadPool {
 public:
  virtual ~ThreadPool() = default;

  /// Runs task(context, part) for part = 0 .. parts-1 and returns when all are done. Parts may run
  /// in any order, on any thread. A caller that finds the pool busy runs its parts itself.
  virtual void run(int64_t parts, void (*task)(void* context, int64_t part), void* context) = 0;

  /// The same for any callable `f(part)`.
  template <class F>
  void parallel(int64_t parts, F&& f) {
    using Callable = std::remove_reference_t<F>;
    auto call = [](void* context, int64_t part) { (*static_cast<Callable*>(context))(part); };
    run(parts, call, const_cast<void*>(static_cast<const void*>(&f)));
  }
};

/// The pool of this process: SYMK_NUM_THREADS threads, by default one per core available.
ThreadPool& thread_pool();
int thread_count();
void set_thread_count(int count);

}  // namespace symk
