// The thread pool: workers take parts of one job at a time. Each thread has a share of neighbouring
// parts, so that it reads memory in long runs and finds in its cache what it wrote a step before;
// who is done takes over parts of the others. The caller takes parts too and never waits for a
// worker that has not begun, so a busy machine costs speed and nothing else. Workers
// are never joined: they own nothing, and a process may exit while they sleep. There is one pool
// for each number of threads that was ever set; it lives as long as the process, since a caller may
// still be in one that has been replaced.
#include "runtime/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "runtime/error.h"
#include "runtime/lock.h"

namespace symk {
namespace {

constexpr int kMaxThreads = 1024;
// A worker that is awake takes up a job within a microsecond; one that sleeps, after 20 or more,
// and its caller pays 8. So workers stay awake between the steps of one call, and between calls
// that follow each other as those of a training loop do; from kAlone on they let whoever else is
// ready have the core, and after kAwake they sleep.
constexpr auto kAlone = std::chrono::microseconds(30), kAwake = std::chrono::microseconds(250);

thread_local bool inside_task = false;

void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// The parts of a job that one thread begins with, as far as they have not been taken.
struct alignas(64) Share {
  std::atomic<int64_t> next{0};
  int64_t end = 0;

  void set(int64_t first, int64_t last) {
    next.store(first);
    end = last;
  }
  /// Whether there was a part left; then it is the caller's.
  bool take(int64_t& part) {
    if (next.load(std::memory_order_relaxed) >= end) return false;
    part = next.fetch_add(1);
    return part < end;
  }
};

class Pool final : public ThreadPool {
 public:
  explicit Pool(int count) : count_(count), shares_(new Share[static_cast<size_t>(count)]) {}

  int count() const { return count_; }

  void run(int64_t parts, void (*task)(void*, int64_t), void* context) override {
    if (parts <= 1 || count_ == 1 || inside_task || busy_.exchange(true)) {
      for (int64_t part = 0; part < parts; ++part) task(context, part);
      return;
    }
    if (!started_ && in_use_.load()) start();
    task_ = task;
    context_ = context;
    for (int i = 0; i < count_; ++i) {
      shares_[i].set(first_of(parts, i), first_of(parts, i + 1));
    }
    open_.store(true);
    epoch_.fetch_add(1);
    if (sleepers_.load() > 0) wake(parts - 1);
    take_parts(0);
    open_.store(false);
    wait_for_workers();
    busy_.store(false);
  }

  /// Ends the workers: until it is used again, the pool runs everything on its callers.
  void retire() {
    while (busy_.exchange(true)) std::this_thread::yield();
    in_use_.store(false);
    started_ = false;
    life_.fetch_add(1);
    epoch_.fetch_add(1);
    wake(kMaxThreads);
    busy_.store(false);
  }

  void use() { in_use_.store(true); }

  /// In the child of a fork: no worker came along, and whatever job ran here runs in the parent.
  void forget_threads() {
    started_ = false;
    busy_.store(false);
    open_.store(false);
    active_.store(0);
    sleepers_.store(0);
  }

 private:
  void start() {
    started_ = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the threads of the user
    for (int i = 1; i < count_; ++i) {
      try {
        std::thread([this, i, life = life_.load()] { work(i, life); }).detach();
      } catch (const std::exception&) {
        break;  // fewer workers are slower, not wrong
      }
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /// The first part of a share of `parts` parts.
  int64_t first_of(int64_t parts, int share) const {
    return parts / count_ * share + parts % count_ * share / count_;
  }

  void take_parts(int own) {
    inside_task = true;
    for (int i = 0; i < count_; ++i) {
      Share& share = shares_[(own + i) % count_];
      for (int64_t part; share.take(part);) task_(context_, part);
    }
    inside_task = false;
  }

  // A worker counts itself in before it looks whether the job is open, and the caller closes the
  // job before it looks at the count: so either the worker sees a closed job, or the caller waits
  // for it.
  void work(int own, uint32_t life) {
    uint32_t seen = 0;
    while (life_.load() == life) {
      seen = wait_for_job(seen);
      active_.fetch_add(1);
      if (open_.load()) take_parts(own);
      active_.fetch_sub(1);
    }
  }

  uint32_t wait_for_job(uint32_t seen) {
    const auto start = std::chrono::steady_clock::now();
    for (auto waited = start - start; waited < kAwake;
         waited = std::chrono::steady_clock::now() - start) {
      for (int i = 0; i < 64; ++i) {
        const uint32_t now = epoch_.load();
        if (now != seen) return now;
        pause_core();
      }
      if (waited > kAlone) std::this_thread::yield();
    }
    sleepers_.fetch_add(1);
    while (epoch_.load() == seen) {
      syscall(SYS_futex, &epoch_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
    }
    sleepers_.fetch_sub(1);
    return epoch_.load();
  }

  void wake(int64_t threads) {
    const int count = static_cast<int>(threads < kMaxThreads ? threads : kMaxThreads);
    syscall(SYS_futex, &epoch_, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  }

  void wait_for_workers() {
    for (int round = 0; active_.load() > 0; ++round) {
      if (round < 2000) {
        pause_core();
      } else {
        std::this_thread::yield();  // a worker that lost its core needs one
      }
    }
  }

  const int count_;
  const std::unique_ptr<Share[]> shares_;
  bool started_ = false;
  void (*task_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  std::atomic<bool> busy_{false}, open_{false}, in_use_{false};
  std::atomic<uint32_t> life_{0};  // grows when the workers are to end
  std::atomic<int> active_{0}, sleepers_{0};
  alignas(64) std::atomic<uint32_t> epoch_{0};
};

/// The processors that a control group grants, rounded up; a large number if it sets no limit.
int granted_cores() {
  long long quota = 0, period = 0;
  if (FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(file, "%lld %lld", &quota, &period) != 2) quota = 0;
    std::fclose(file);
  }
  return quota > 0 && period > 0 ? static_cast<int>((quota + period - 1) / period) : kMaxThreads;
}

int available_cores() {
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) == 0
                  ? CPU_COUNT(&set)
                  : static_cast<int>(std::thread::hardware_concurrency());
  if (cores > granted_cores()) cores = granted_cores();
  return cores < 1 ? 1 : cores > kMaxThreads ? kMaxThreads : cores;
}

int checked_count(long count, const std::string& given) {
  if (count >= 1 && count <= kMaxThreads) return static_cast<int>(count);
  throw Error(ErrorCode::kArgument, "[threads] the number of threads must be 1 to " +
                                        std::to_string(kMaxThreads) + "; " + given + " was given.");
}

int configured_count() {
  const char* text = std::getenv("SYMK_NUM_THREADS");
  if (text == nullptr || *text == '\0') return available_cores();
  char* end = nullptr;
  const long count = std::strtol(text, &end, 10);
  return checked_count(*end == '\0' ? count : 0, std::string("SYMK_NUM_THREADS=") + text);
}

Pool* pools[kMaxThreads + 1];  // by the number of threads; null where none was needed yet
std::atomic<Pool*> current_pool{nullptr};
std::atomic<uint32_t> generation{1};
SharedLock pool_lock;  // for `pools`, and for changes of the current pool

void after_fork_in_child() {
  generation.fetch_add(1);
  inside_task = false;
  for (Pool* pool : pools) {
    if (pool != nullptr) pool->forget_threads();
  }
}

/// Makes the pool of `count` threads the current one. The lock must be held.
Pool& switch_pool(int count) {
  if (pools[count] == nullptr) pools[count] = new Pool(count);
  Pool& fresh = *pools[count];
  Pool* const replaced = current_pool.load();
  if (replaced == &fresh) return fresh;
  fresh.use();
  current_pool.store(&fresh, std::memory_order_release);
  if (replaced != nullptr) replaced->retire();
  return fresh;
}

Pool& pool() {
  Pool* const found = current_pool.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  const int count = configured_count();
  const Locked locked(pool_lock);
  return current_pool.load() != nullptr ? *current_pool.load() : switch_pool(count);
}

[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);

}  // namespace

uint32_t fork_generation() { return generation.load(std::memory_order_relaxed); }

ThreadPool& thread_pool() { return pool(); }

int thread_count() { return pool().count(); }

void set_thread_count(int count) {
  checked_count(count, std::to_string(count));
  if (inside_task) {
    throw Error(ErrorCode::kArgument,
                "[threads] the number of threads cannot change while a kernel runs on this one.");
  }
  const Locked locked(pool_lock);
  switch_pool(count);
}

}  // namespace symk
