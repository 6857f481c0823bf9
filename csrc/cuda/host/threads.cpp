// Fibers: contexts with stacks of their own, made once per thread of the host and used again for
// every block. They are entered by setcontext and then switched by longjmp, which, unlike
// swapcontext, calls the system for nothing.
#include "cuda/host/threads.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/error.h"

namespace symk::cuda {

thread_local host::Index threadIdx, blockDim;

namespace host {
namespace {

constexpr int kWarp = 32;
constexpr size_t kStackBytes = 64 * 1024;

/// What a lane gives to its warp.
struct alignas(8) Parcel {
  char bytes[64];
};

/// A copy that has been begun.
struct Copy {
  void* to;
  const void* from;
  int size, given;

  void operator()() const {
    std::memcpy(to, from, static_cast<size_t>(given));
    std::memset(static_cast<char*>(to) + given, 0, static_cast<size_t>(size - given));
  }
};

/// What a thread has begun, in groups that it waits for.
template <class Work>
class Groups {
 public:
  void clear() {
    begun_.clear();
    sizes_.clear();
  }
  void add(Work work) { begun_.push_back(std::move(work)); }
  void end() {
    size_t grouped = 0;
    for (size_t size : sizes_) grouped += size;
    sizes_.push_back(begun_.size() - grouped);
  }
  /// Does all groups but for the last `going_on`.
  void wait(int going_on) {
    while (sizes_.size() > static_cast<size_t>(going_on)) {
      const auto last = begun_.begin() + static_cast<std::ptrdiff_t>(sizes_.front());
      for (auto work = begun_.begin(); work != last; ++work) (*work)();
      begun_.erase(begun_.begin(), last);
      sizes_.erase(sizes_.begin());
    }
  }

 private:
  std::vector<Work> begun_;
  std::vector<size_t> sizes_;  // how many each group has, the oldest first
};

struct Fiber {
  ucontext_t first = {};
  jmp_buf place;
  std::unique_ptr<char[]> stack;
  bool started = false, done = false;
  uint64_t exchanges = 0;  // how many this lane has begun
  Parcel given[2];         // to the last two of them
  Groups<Copy> copies;
  Groups<std::function<void()>> products;
};

class Block {
 public:
  void begin(int threads, int64_t shared, void (*body)(void*), void* context) {
    while (fibers_.size() < static_cast<size_t>(threads)) {
      fibers_.push_back(std::make_unique<Fiber>());
      fibers_.back()->stack = std::make_unique<char[]>(kStackBytes);
    }
    for (int i = 0; i < threads; ++i) {
      Fiber& fiber = *fibers_[static_cast<size_t>(i)];
      fiber.done = false;
      fiber.exchanges = 0;
      fiber.copies.clear();
      fiber.products.clear();
    }
    ++begun_;
    late_ = begun_ % 2 == 1;
    late_beside_ = begun_ / 2 % 2 == 0;
    if (shared_.size() * sizeof(shared_[0]) < static_cast<size_t>(shared)) {
      shared_.resize(static_cast<size_t>(shared) / sizeof(shared_[0]) + 1);
    }
    body_ = body;
    context_ = context;
    threads_ = alive_ = threads;
    waiting_ = 0;
  }

  /// Runs until the threads are done, or all wait for something. Whether any got further.
  bool advance();

  bool is_done() const { return alive_ == 0; }
  /// After a failure: what the threads have on their stacks is lost.
  void forget() {
    fibers_.clear();
    beside_.clear();
    failure_.clear();
  }

  void* shared() { return shared_.data(); }

  void wait_for_block() {
    const uint64_t round = round_;
    ++waiting_;
    ++progress_;
    open_if_all_wait();
    while (round_ == round) leave();
  }

  void give_to_warp(const void* bytes, size_t size) {
    Fiber& own = current();
    const uint64_t number = own.exchanges++;
    std::memcpy(own.given[number % 2].bytes, bytes, size);
    ++progress_;
    const int first = current_ / kWarp * kWarp;
    while (!all_gave(first, number)) leave();
  }

  const void* given_by(int lane) {
    const int first = current_ / kWarp * kWarp;
    return fibers_[static_cast<size_t>(first + lane)]->given[(current().exchanges - 1) % 2].bytes;
  }

  void begin_copy(const Copy& copy) {
    if (late_) {
      current().copies.add(copy);
    } else {
      copy();
    }
  }
  void end_copy_group() { current().copies.end(); }
  void wait_for_copies(int going_on) { current().copies.wait(going_on); }

  void begin_product(std::function<void()> product) {
    if (late_) {
      current().products.add(std::move(product));
    } else {
      product();
    }
  }
  void end_product_group() { current().products.end(); }
  void wait_for_products(int going_on) { current().products.wait(going_on); }

  void do_beside(std::function<void()> work) {
    if (late_beside_) {
      beside_.push_back(std::move(work));
    } else {
      work();
    }
  }

  /// Lets the others run.
  void leave() {
    if (_setjmp(fibers_[static_cast<size_t>(current_)]->place) == 0) _longjmp(scheduler_, 1);
  }
  void note_progress() { ++progress_; }
  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }

  /// Lets other blocks run until they have come so many times; one thread of a block comes.
  void wait_for_blocks(unsigned* place, unsigned arrivals) {
    wait_for_block();
    if (current_ == 0) {
      ++*place;
      ++progress_;
    }
    while (*place < arrivals) leave();
    ++progress_;
    wait_for_block();
  }

 private:
  void throw_failure() const;

  Fiber& current() { return *fibers_[static_cast<size_t>(current_)]; }

  void resume(Fiber& fiber) {
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    getcontext(&fiber.first);
    fiber.first.uc_stack.ss_sp = fiber.stack.get();
    fiber.first.uc_stack.ss_size = kStackBytes;
    fiber.first.uc_link = nullptr;
    makecontext(&fiber.first, &Block::enter, 0);
    setcontext(&fiber.first);
  }

  /// One turn of each thread.
  void take_turns() {
    for (current_ = 0; current_ < threads_; ++current_) {
      Fiber& fiber = *fibers_[static_cast<size_t>(current_)];
      if (fiber.done) continue;
      threadIdx.x = current_;
      resume(fiber);
      if (!failure_.empty()) return;
      if (!fiber.done) continue;
      --alive_;
      ++progress_;
      open_if_all_wait();
    }
  }

  /// A fiber's life: a body per block.
  static void enter();

  void live() {
    for (;;) {
      body_(context_);
      fibers_[static_cast<size_t>(current_)]->done = true;
      leave();
    }
  }

  /// Does the work beside the threads that was begun last, or first.
  void do_one_beside() {
    if (beside_.empty()) return;
    const auto one = ++turns_ % 3 == 0 ? beside_.begin() : beside_.end() - 1;
    const std::function<void()> work = std::move(*one);
    beside_.erase(one);
    work();
    ++progress_;
  }

  void open_if_all_wait() {
    if (alive_ == 0 || waiting_ < alive_) return;
    waiting_ = 0;
    ++round_;
  }

  bool all_gave(int first, uint64_t number) const {
    for (int i = first; i < first + kWarp && i < threads_; ++i) {
      const Fiber& fiber = *fibers_[static_cast<size_t>(i)];
      if (!fiber.done && fiber.exchanges <= number) return false;
    }
    return true;
  }

  struct alignas(64) Line {
    char bytes[64];
  };

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Line> shared_;
  jmp_buf scheduler_;
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  int threads_ = 0, current_ = 0, alive_ = 0, waiting_ = 0;
  uint64_t round_ = 0, progress_ = 0, begun_ = 0, turns_ = 0;
  std::vector<std::function<void()>> beside_;
  bool late_ = false;  // whether copies and products happen when they are waited for
  bool late_beside_ = false;
  std::string failure_;
};

/// The blocks of this thread of the host, and the one that runs.
thread_local std::vector<std::unique_ptr<Block>> blocks;
thread_local Block* running = nullptr;

void Block::enter() { running->live(); }

bool Block::advance() {
  running = this;
  blockDim.x = threads_;
  const uint64_t start = progress_;
  for (uint64_t before = start - 1; alive_ > 0 && progress_ != before;) {
    before = progress_;
    take_turns();
    if (progress_ == before) do_one_beside();
    throw_failure();
  }
  if (is_done() && !beside_.empty())
    fail("a block must wait for the copies that it has begun; it ended first.");
  throw_failure();
  return progress_ != start;
}

/// The first `count` blocks.
void provide(size_t count) {
  while (blocks.size() < count) blocks.push_back(std::make_unique<Block>());
}

[[noreturn]] void refuse(const std::string& what) {
  for (const auto& block : blocks) block->forget();
  throw Error(ErrorCode::kInternal, "[cuda-host] " + what);
}
[[noreturn]] void refuse_waiting(const char* who) {
  refuse(std::string("the ") + who +
         " must meet at the same barriers; they wait for each other at different ones.");
}

void Block::throw_failure() const {
  if (!failure_.empty()) refuse(std::string(failure_));
}

/// A block of a launch: which one it is, for all its threads.
struct Part {
  void (*body)(void*, int64_t);
  void* context;
  int64_t number;
};

}  // namespace

void run_block(int threads, int64_t shared, void (*body)(void*), void* context) {
  provide(1);
  blocks[0]->begin(threads, shared, body, context);
  blocks[0]->advance();
  if (!blocks[0]->is_done()) refuse_waiting("threads of a block");
}

void run_together(int64_t count, int threads, int64_t shared, void (*body)(void*, int64_t),
                  void* context) {
  static thread_local bool from_last = true;
  from_last = !from_last;
  const auto all = static_cast<size_t>(count);
  provide(all);
  std::vector<Part> parts;
  for (size_t i = 0; i < all; ++i)
    parts.push_back({body, context, static_cast<int64_t>(from_last ? all - 1 - i : i)});
  for (size_t i = 0; i < all; ++i) {
    const auto begin = [](void* of) {
      const Part& part = *static_cast<const Part*>(of);
      part.body(part.context, part.number);
    };
    blocks[i]->begin(threads, shared, begin, &parts[i]);
  }
  for (bool further = true, done = false; !done;) {
    if (!further) refuse_waiting("blocks of a launch");
    further = false;
    done = true;
    for (size_t i = 0; i < all; ++i) {
      if (!blocks[i]->is_done()) further = blocks[i]->advance() || further;
      done = done && blocks[i]->is_done();
    }
  }
}

void meet_blocks(unsigned* place, unsigned arrivals) { running->wait_for_blocks(place, arrivals); }
void* shared_bytes() { return running->shared(); }
void wait_for_block() { running->wait_for_block(); }
void give_to_warp(const void* bytes, size_t size) { running->give_to_warp(bytes, size); }
const void* given_by(int lane) { return running->given_by(lane); }
uint64_t exchange(uint64_t value, int source) {
  running->give_to_warp(&value, sizeof value);
  std::memcpy(&value, running->given_by(source), sizeof value);
  return value;
}
void begin_copy(void* to, const void* from, int size, int given) {
  running->begin_copy({to, from, size, given});
}
void end_copy_group() { running->end_copy_group(); }
void wait_for_copies(int going_on) { running->wait_for_copies(going_on); }
void begin_product(std::function<void()> product) { running->begin_product(std::move(product)); }
void end_product_group() { running->end_product_group(); }
void wait_for_products(int going_on) { running->wait_for_products(going_on); }
void do_beside(std::function<void()> work) { running->do_beside(std::move(work)); }
void pause() { running->leave(); }
void note_progress() { running->note_progress(); }
void fail(const std::string& what) { running->fail(what); }

}  // namespace host
}  // namespace symk::cuda
