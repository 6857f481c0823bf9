// Free lists by size class: four classes per power of two, so a block is at most a quarter larger
// than wanted.
#include "python/recycler.h"

#include <new>
#include <vector>

#include "runtime/lock.h"
#include "runtime/memory.h"

namespace symk::door {
namespace {

// Idle memory is bounded by what a few large batches of outputs take.
constexpr int64_t kMaxIdleBytes = int64_t{128} << 20;
constexpr int kClasses = 256;

// A block begins with its own description, one cache line long.
struct alignas(kAlignment) Header {
  Block block;
  int size_class = 0;
};

struct Lists {
  SharedLock lock;
  std::vector<Header*> free[kClasses];
  int64_t idle_bytes = 0;
};

// Never destroyed: arrays may be freed while the process ends.
Lists& lists() {
  static Lists* const all = new Lists;
  return *all;
}

int class_of(int64_t bytes) {
  const int log2 = 63 - __builtin_clzll(static_cast<unsigned long long>(bytes | 4));
  return log2 * 4 + static_cast<int>((bytes >> (log2 - 2)) & 3);
}

/// The smallest number of bytes in the class after this one: what a block of the class holds.
int64_t class_bytes(int size_class) {
  const int next = size_class + 1;
  return static_cast<int64_t>(4 + next % 4) << (next / 4 - 2);
}

Header* header_of(void* block) { return static_cast<Header*>(block) - 1; }

void release(Header* header) {
  const Block block = std::move(header->block);
  header->~Header();
}

Header* reuse(int size_class) {
  Lists& all = lists();
  Header* found = nullptr;
  all.lock.lock();
  auto& free = all.free[size_class];
  if (!free.empty()) {
    found = free.back();
    free.pop_back();
    all.idle_bytes -= found->block.bytes();
  }
  all.lock.unlock();
  return found;
}

bool keep(Header* header) {
  Lists& all = lists();
  bool kept = false;
  all.lock.lock();
  if (all.idle_bytes + header->block.bytes() <= kMaxIdleBytes) {
    try {
      all.free[header->size_class].push_back(header);
      all.idle_bytes += header->block.bytes();
      kept = true;
    } catch (const std::bad_alloc&) {
      // Then it is freed.
    }
  }
  all.lock.unlock();
  return kept;
}

}  // namespace

void* take_block(int64_t bytes) {
  const int size_class = class_of(bytes);
  Header* header = reuse(size_class);
  if (header == nullptr) {
    Block block(checked_add(class_bytes(size_class), sizeof(Header)));
    header = new (block.data()) Header;
    header->block = std::move(block);
    header->size_class = size_class;
  }
  return header + 1;
}

void recycle(void* block) {
  Header* const header = header_of(block);
  if (!keep(header)) release(header);
}

int64_t idle_bytes() { return lists().idle_bytes; }

}  // namespace symk::door
