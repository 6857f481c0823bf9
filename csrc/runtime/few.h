// Memory for a few items on the stack, for many on the heap: most programs have a few inputs and
// outputs.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace symk {

template <class T>
class Few {
 public:
  explicit Few(size_t count) {
    if (count > items_.size()) many_.resize(count);
    begin_ = count > items_.size() ? many_.data() : items_.data();
  }
  Few(const Few&) = delete;
  Few& operator=(const Few&) = delete;

  T* data() { return begin_; }
  const T* data() const { return begin_; }
  T& operator[](size_t index) { return begin_[index]; }
  const T& operator[](size_t index) const { return begin_[index]; }

 private:
  std::array<T, 8> items_{};
  std::vector<T> many_;
  T* begin_;
};

}  // namespace symk
