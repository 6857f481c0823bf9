// Idle blocks by size class: four classes per power of two, so a block is at most a quarter larger
// than wanted. The block that was given back last is the first to be used again, for it may still
// be in a cache; where idle memory exceeds its bound, the one that has waited longest is freed.
#include "python/recycler.h"

#include <new>
#include <utility>

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
  uint64_t given_back = 0;  // the time, as a count of what was given back
  Header* older = nullptr;  // neighbours in the list of the class
  Header* newer = nullptr;
};

/// The idle blocks of one class, in the order in which they were given back.
struct IdleList {
  Header* newest = nullptr;
  Header* oldest = nullptr;

  void add(Header* header) {
    header->older = newest;
    header->newer = nullptr;
    (newest != nullptr ? newest->newer : oldest) = header;
    newest = header;
  }
  void remove(Header* header) {
    (header->newer != nullptr ? header->newer->older : newest) = header->older;
    (header->older != nullptr ? header->older->newer : oldest) = header->newer;
  }
};

struct Idle {
  SharedLock lock;
  IdleList lists[kClasses];
  int64_t bytes = 0;
  uint64_t given_back = 0;

  Header* take(IdleList& list, Header* header) {
    list.remove(header);
    bytes -= header->block.bytes();
    return header;
  }
};

// Never destroyed: arrays may be freed while the process ends.
Idle& idle() {
  static Idle* const all = new Idle;
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
  Idle& all = idle();
  const Locked locked(all.lock);
  IdleList& list = all.lists[size_class];
  return list.newest == nullptr ? nullptr : all.take(list, list.newest);
}

void keep(Header* header) {
  Idle& all = idle();
  const Locked locked(all.lock);
  header->given_back = ++all.given_back;
  all.lists[header->size_class].add(header);
  all.bytes += header->block.bytes();
}

/// The idle block that has waited longest, if there is too much idle memory; else null.
Header* take_superfluous() {
  Idle& all = idle();
  const Locked locked(all.lock);
  if (all.bytes <= kMaxIdleBytes) return nullptr;
  IdleList* found = nullptr;
  for (IdleList& list : all.lists) {
    if (list.oldest == nullptr) continue;
    if (found == nullptr || list.oldest->given_back < found->oldest->given_back) found = &list;
  }
  return all.take(*found, found->oldest);
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
  Header* const own = header_of(block);
  if (own->block.bytes() > kMaxIdleBytes) return release(own);
  keep(own);
  while (Header* const header = take_superfluous()) release(header);
}

}  // namespace symk::door
