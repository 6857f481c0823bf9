// Vec<T> for T = float, double, int32_t, int64_t: a register of lanes, with the operations that
// every compiler offers for vector types. A scalar converts to a Vec of equal lanes, so `x * 0.5f`
// is fine. Included by vec.h only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symk::cpu::SYMK_ISA {

// clang-format off: one type per line
/// The signed integer as wide as T.
template <class T> struct IntegerOf;
template <> struct IntegerOf<float> { using type = int32_t; };
template <> struct IntegerOf<double> { using type = int64_t; };
template <> struct IntegerOf<int32_t> { using type = int32_t; };
template <> struct IntegerOf<int64_t> { using type = int64_t; };

/// The floating type as wide as T.
template <class T> struct FloatOf;
template <> struct FloatOf<float> { using type = float; };
template <> struct FloatOf<double> { using type = double; };
template <> struct FloatOf<int32_t> { using type = float; };
template <> struct FloatOf<int64_t> { using type = double; };

/// What T is computed in: for integers the unsigned type, whose overflow is defined: it wraps.
template <class T> struct Wrapping { using type = T; };
template <> struct Wrapping<int32_t> { using type = uint32_t; };
template <> struct Wrapping<int64_t> { using type = uint64_t; };

// A vector type that depends on a template parameter cannot be overloaded on in GCC.
template <class T> struct RegisterOf;
#define SYMK_REGISTER_OF(T) \
  template <> struct RegisterOf<T> { typedef T type __attribute__((vector_size(kVectorBytes))); }
SYMK_REGISTER_OF(float);
SYMK_REGISTER_OF(double);
SYMK_REGISTER_OF(int32_t);
SYMK_REGISTER_OF(int64_t);
SYMK_REGISTER_OF(uint32_t);
SYMK_REGISTER_OF(uint64_t);
#undef SYMK_REGISTER_OF
// clang-format on

template <class T>
struct Vec {
  using Register = typename RegisterOf<T>::type;
  using Wrapped = typename RegisterOf<typename Wrapping<T>::type>::type;
  using Scalar = T;
  static constexpr int width = kVectorBytes / static_cast<int>(sizeof(T));

  Register v;

  Vec() = default;
  [[gnu::always_inline]] Vec(T x) : v(fill(x)) {}
  [[gnu::always_inline]] explicit Vec(Register r) : v(r) {}

  [[gnu::always_inline]] static Vec zero() { return Vec(Register{}); }
  [[gnu::always_inline]] static Vec broadcast(T x) { return Vec(x); }

  /// Any alignment.
  [[gnu::always_inline]] static Vec load(const T* p) {
    Vec r;
    __builtin_memcpy(&r.v, p, sizeof(Register));
    return r;
  }
  [[gnu::always_inline]] void store(T* p) const { __builtin_memcpy(p, &v, sizeof(Register)); }

  /// The first n lanes (0 <= n <= width); the others are zero, and memory behind them is not
  /// touched.
  static Vec load_partial(const T* p, int n);
  void store_partial(T* p, int n) const;

  /// Past the caches; p is aligned to kVectorBytes. stream_fence() afterwards, before others read.
  void stream(T* p) const;

  [[gnu::always_inline]] T operator[](int lane) const { return v[lane]; }

  [[gnu::always_inline]] friend Vec operator+(Vec a, Vec b) {
    return Vec((Register)((Wrapped)a.v + (Wrapped)b.v));
  }
  [[gnu::always_inline]] friend Vec operator-(Vec a, Vec b) {
    return Vec((Register)((Wrapped)a.v - (Wrapped)b.v));
  }
  [[gnu::always_inline]] friend Vec operator*(Vec a, Vec b) {
    return Vec((Register)((Wrapped)a.v * (Wrapped)b.v));
  }
  [[gnu::always_inline]] friend Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
  [[gnu::always_inline]] friend Vec operator-(Vec a) { return Vec(-a.v); }
  [[gnu::always_inline]] friend Vec& operator+=(Vec& a, Vec b) { return a = a + b; }
  [[gnu::always_inline]] friend Vec& operator-=(Vec& a, Vec b) { return a = a - b; }
  [[gnu::always_inline]] friend Vec& operator*=(Vec& a, Vec b) { return a = a * b; }

 private:
  // x - 0 is x for every x, -0 among them.
  [[gnu::always_inline]] static Register fill(T x) { return x - Register{}; }
};

/// The integer lanes that match Vec<T>.
template <class T>
using IVec = Vec<typename IntegerOf<T>::type>;

/// The same bits as another type of the same lane width.
template <class To, class From>
[[gnu::always_inline]] inline Vec<To> bit_cast(Vec<From> x) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast keeps the lane width");
  return Vec<To>((typename Vec<To>::Register)x.v);
}
template <class T>
[[gnu::always_inline]] inline IVec<T> bits(Vec<T> x) {
  return bit_cast<typename IntegerOf<T>::type>(x);
}

// Integer lanes: bit operations and shifts by one count for all lanes.
template <class T>
[[gnu::always_inline]] inline Vec<T> bit_and(Vec<T> a, Vec<T> b) {
  return Vec<T>(a.v & b.v);
}
template <class T>
[[gnu::always_inline]] inline Vec<T> bit_or(Vec<T> a, Vec<T> b) {
  return Vec<T>(a.v | b.v);
}
template <class T>
[[gnu::always_inline]] inline Vec<T> bit_xor(Vec<T> a, Vec<T> b) {
  return Vec<T>(a.v ^ b.v);
}
template <class T>
[[gnu::always_inline]] inline Vec<T> bit_not(Vec<T> a) {
  return Vec<T>(~a.v);
}
template <class T>
[[gnu::always_inline]] inline Vec<T> shift_left(Vec<T> a, int count) {
  return Vec<T>(a.v << count);
}
/// Copies of the sign bit come in from the left.
template <class T>
[[gnu::always_inline]] inline Vec<T> shift_right(Vec<T> a, int count) {
  return Vec<T>(a.v >> count);
}
/// Zeros come in from the left.
[[gnu::always_inline]] inline Vec<int32_t> shift_right_logical(Vec<int32_t> a, int count) {
  typedef uint32_t Unsigned __attribute__((vector_size(kVectorBytes)));
  return Vec<int32_t>((Vec<int32_t>::Register)((Unsigned)a.v >> count));
}
[[gnu::always_inline]] inline Vec<int64_t> shift_right_logical(Vec<int64_t> a, int count) {
  typedef uint64_t Unsigned __attribute__((vector_size(kVectorBytes)));
  return Vec<int64_t>((Vec<int64_t>::Register)((Unsigned)a.v >> count));
}

[[gnu::always_inline]] inline void prefetch(const void* p) { __builtin_prefetch(p); }
[[gnu::always_inline]] inline void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1); }

}  // namespace symk::cpu::SYMK_ISA
