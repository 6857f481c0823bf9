// Multiply-adds of a warp on tensor cores, of compute capability 8.0 and later: c += A B for A of
// 16 rows, B of 8 columns and a depth of 8 (TF32) or 16 (bfloat16, float16), in float32. Which
// elements a lane holds is NVIDIA's "Matrix fragments for mma.m16n8k8 and m16n8k16" of PTX.
#pragma once

#include "cuda/factor.h"
#include "cuda/launch.h"

#ifndef __CUDACC__
#include "cuda/host/tensor_core.h"
#endif

namespace symk::cuda {

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
constexpr bool kTensorCores = true;
#else
constexpr bool kTensorCores = false;
#endif

/// The numbers in the registers of a fragment: the whole of one, or a half for two.
template <Factor factor>
struct MmaShape {
  static constexpr int per_register = factor == Factor::kTf32 ? 1 : 2;
  static constexpr int depth = 8 * per_register;
};

// --- which element a lane holds in register i, place `half` of it ---

struct MmaPlace {
  int line, depth;  // a line is a row of A, a column of B
};

/// A: four registers.
template <Factor factor>
SYMK_BOTH constexpr MmaPlace left_place(int lane, int i, int half) {
  constexpr int n = MmaShape<factor>::per_register;
  return {lane / 4 + i % 2 * 8, lane % 4 * n + half + i / 2 * 4 * n};
}
/// B: two registers.
template <Factor factor>
SYMK_BOTH constexpr MmaPlace right_place(int lane, int i, int half) {
  constexpr int n = MmaShape<factor>::per_register;
  return {lane / 4, lane % 4 * n + half + i * 4 * n};
}
/// c: four numbers of float32.
SYMK_BOTH constexpr int sum_row(int lane, int i) { return lane / 4 + i / 2 * 8; }
SYMK_BOTH constexpr int sum_column(int lane, int i) { return lane % 4 * 2 + i % 2; }

// --- numbers as tensor cores take them ---

#ifdef __CUDACC__

/// x rounded to TF32.
SYMK_HD uint32_t tf32_bits(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
/// Two numbers in one register, `low` in its low half.
template <Factor factor>
SYMK_HD uint32_t pair_bits(float low, float high) {
  uint32_t bits;
  if constexpr (factor == Factor::kBfloat16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  }
  return bits;
}

#define SYMK_MMA(shape)                                 \
  asm("mma.sync.aligned." shape                         \
      " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, " \
      "{%0, %1, %2, %3};"                               \
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])  \
      : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]))

/// c += A B. All lanes of a warp call it together.
template <Factor factor>
SYMK_HD void multiply_add(float (&c)[4], const uint32_t (&left)[4], const uint32_t (&right)[2]) {
  if constexpr (factor == Factor::kTf32) {
    SYMK_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
  } else if constexpr (factor == Factor::kBfloat16) {
    SYMK_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  } else {
    SYMK_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  }
}

#undef SYMK_MMA

#else

inline uint32_t tf32_bits(float x) { return math::float_bits(math::rounded_to_tf32(x)); }

template <Factor factor>
uint32_t pair_bits(float low, float high) {
  if constexpr (factor == Factor::kBfloat16) {
    return math::float_bits(math::rounded_to_bfloat16(low)) >> 16 |
           math::float_bits(math::rounded_to_bfloat16(high));
  } else {
    return math::float_to_half(low) | uint32_t{math::float_to_half(high)} << 16;
  }
}

/// A number of a register.
template <Factor factor>
double mma_number(uint32_t bits, int half) {
  if constexpr (factor == Factor::kTf32) return math::float_of(bits & 0xffffe000u);
  const uint32_t own = half == 0 ? bits & 0xffffu : bits >> 16;
  if constexpr (factor == Factor::kBfloat16) return math::float_of(own << 16);
  return math::half_to_float(static_cast<uint16_t>(own));
}

template <Factor factor>
void multiply_add(float (&c)[4], const uint32_t (&left)[4], const uint32_t (&right)[2]) {
  struct Registers {
    uint32_t left[4], right[2];
  };
  constexpr int depth = MmaShape<factor>::depth, n = MmaShape<factor>::per_register;
  Registers own;
  std::memcpy(own.left, left, sizeof left);
  std::memcpy(own.right, right, sizeof right);
  host::give_to_warp(&own, sizeof own);
  const int lane = threadIdx.x % 32;
  double rows[2][depth], columns[2][depth];
  // The lanes that hold rows and columns of this lane's sums, found by the layouts above.
  for (int quarter = 0; quarter < 4; ++quarter) {
    const auto* const a = static_cast<const Registers*>(host::given_by(lane / 4 * 4 + quarter));
    for (int i = 0; i < 4; ++i) {
      for (int half = 0; half < n; ++half) {
        const MmaPlace place = left_place<factor>(lane / 4 * 4 + quarter, i, half);
        rows[place.line / 8][place.depth] = mma_number<factor>(a->left[i], half);
      }
    }
    for (int column = 0; column < 2; ++column) {
      const int holder = sum_column(lane, column) * 4 + quarter;
      const auto* const b = static_cast<const Registers*>(host::given_by(holder));
      for (int i = 0; i < 2; ++i) {
        for (int half = 0; half < n; ++half) {
          const MmaPlace place = right_place<factor>(holder, i, half);
          columns[column][place.depth] = mma_number<factor>(b->right[i], half);
        }
      }
    }
  }
  for (int i = 0; i < 4; ++i) c[i] = host::sum_products<depth>(c[i], rows[i / 2], columns[i % 2]);
}

#endif

}  // namespace symk::cuda
