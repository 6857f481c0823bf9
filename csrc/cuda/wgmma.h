// Multiply-adds of a warp group (four warps, the first of which has a number divisible by four) on
// the tensor cores of compute capability 9.0: sums += A B for A of 64 rows, B of 128 or 256 columns
// and a depth of 32 bytes, 8 numbers of TF32 or 16 of bfloat16 or float16. Both operands stand in
// the memory of the block, in boxes of tensor_map.h with 128 bytes of depth per line (a row of A, a
// column of B: "K-major"), and an instruction is told where by a descriptor each. Its threads go on
// meanwhile: products are begun, joined to groups, and waited for.
//
// Of the PTX ISA, "Asynchronous warpgroup-level matrix instructions", this relies on:
//   - the descriptor: bits 0-13 the address / 16, 16-29 the leading offset (not used by swizzled
//     operands along the depth), 32-45 the stride / 16 from eight lines to the next eight, 49-51
//     the base offset (0 where eight lines begin at a multiple of 1024), 62-63 the swizzling, 1
//     for that of 128 bytes. Swizzling is a matter of the bits of an address, so that other depths
//     of a line are reached by adding their bytes to the address;
//   - the fragment of D (the figure of wgmma.mma_async.m64nNk16, D): see sum_row and sum_column;
//   - .tf32 leaves out the lower 13 bits of its operands;
//   - wgmma.fence stands before the first product and wherever registers of the sums were changed;
//     products that add to the same registers one after the other need no wait between them.
#pragma once

#include "cuda/mma.h"
#include "cuda/tensor_map.h"

namespace symk::cuda {

constexpr int kWarpGroup = 128;  // threads
constexpr int kGroupRows = 64;
constexpr int kProductBytes = 32;  // of depth

/// The box at an address of the block's memory.
SYMK_BOTH constexpr uint64_t box_descriptor(uint32_t address) {
  constexpr uint64_t eight_lines = 8 * kBoxLineBytes;
  return (address & 0x3ffffu) >> 4 | uint64_t{1} << 16 | eight_lines >> 4 << 32 | uint64_t{1} << 62;
}
/// The same for the depths from the product `number` of a line on.
SYMK_BOTH constexpr uint64_t at_product(uint64_t descriptor, int number) {
  return descriptor + static_cast<uint64_t>(number * kProductBytes >> 4);
}

/// Which element of D a thread of the group holds in sum i.
SYMK_BOTH constexpr int group_row(int thread, int i) {
  return thread / kWarp * 16 + thread % kWarp / 4 + i / 2 % 2 * 8;
}
SYMK_BOTH constexpr int group_column(int thread, int i) {
  return i / 4 * 8 + thread % 4 * 2 + i % 2;
}

#ifdef __CUDACC__

/// Sums are in registers, and the compiler does not know when a product writes them: it neither
/// keeps copies of them nor moves what uses them over this.
template <int count>
SYMK_HD void hold(float (&sums)[count]) {
  SYMK_UNROLLED
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

/// Before products, when `sums` were changed otherwise.
template <int count>
SYMK_HD void begin_products(float (&sums)[count]) {
  hold(sums);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
SYMK_HD void end_product_group() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits for this thread's groups but for the last `going_on`.
template <int going_on, int count>
SYMK_HD void wait_for_products(float (&sums)[count]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(going_on) : "memory");
  if constexpr (going_on == 0) hold(sums);
}

/// From here on the threads of a group have more or less registers; all of them call it.
template <int count>
SYMK_HD void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
SYMK_HD void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}

// clang-format off
#define SYMK_SUMS_4(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3])
#define SYMK_SUMS_16(i) SYMK_SUMS_4(i), SYMK_SUMS_4(i + 4), SYMK_SUMS_4(i + 8), SYMK_SUMS_4(i + 12)
#define SYMK_SUMS_64(i) SYMK_SUMS_16(i), SYMK_SUMS_16(i + 16), SYMK_SUMS_16(i + 32), SYMK_SUMS_16(i + 48)
#define SYMK_NAMES_64                                                                     \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "      \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "      \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SYMK_NAMES_128                                                                    \
  SYMK_NAMES_64 ", "                                                                      \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "      \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "      \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, "      \
  "%110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, "  \
  "%124, %125, %126, %127"
#define SYMK_WGMMA_128(kind, more)                                      \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %66, 0;\n"       \
               "wgmma.mma_async.sync.aligned.m64n128" kind " {" SYMK_NAMES_64 \
               "}, %64, %65, keep, 1, 1" more ";\n}"                    \
               : SYMK_SUMS_64(0) : "l"(left), "l"(right), "r"(kept))
#define SYMK_WGMMA_256(kind, more)                                      \
  asm volatile("{\n.reg .pred keep;\nsetp.ne.b32 keep, %130, 0;\n"      \
               "wgmma.mma_async.sync.aligned.m64n256" kind " {" SYMK_NAMES_128 \
               "}, %128, %129, keep, 1, 1" more ";\n}"                  \
               : SYMK_SUMS_64(0), SYMK_SUMS_64(64) : "l"(left), "l"(right), "r"(kept))
// clang-format on

/// sums += A B, or sums = A B unless they are kept. All threads of a group call it together.
template <Factor factor>
SYMK_HD void begin_product(float (&sums)[64], uint64_t left, uint64_t right, bool keep) {
  const int kept = keep;
  if constexpr (factor == Factor::kTf32) {
    SYMK_WGMMA_128("k8.f32.tf32.tf32", "");
  } else if constexpr (factor == Factor::kBfloat16) {
    SYMK_WGMMA_128("k16.f32.bf16.bf16", ", 0, 0");
  } else {
    SYMK_WGMMA_128("k16.f32.f16.f16", ", 0, 0");
  }
}
template <Factor factor>
SYMK_HD void begin_product(float (&sums)[128], uint64_t left, uint64_t right, bool keep) {
  const int kept = keep;
  if constexpr (factor == Factor::kTf32) {
    SYMK_WGMMA_256("k8.f32.tf32.tf32", "");
  } else if constexpr (factor == Factor::kBfloat16) {
    SYMK_WGMMA_256("k16.f32.bf16.bf16", ", 0, 0");
  } else {
    SYMK_WGMMA_256("k16.f32.f16.f16", ", 0, 0");
  }
}

#undef SYMK_SUMS_4
#undef SYMK_SUMS_16
#undef SYMK_SUMS_64
#undef SYMK_NAMES_64
#undef SYMK_NAMES_128
#undef SYMK_WGMMA_128
#undef SYMK_WGMMA_256

#else

inline uint32_t shared_address(const void* place) { return host::shared_address(place); }

template <int count>
void begin_products(float (&)[count]) {}
inline void end_product_group() { host::end_product_group(); }
template <int going_on, int count>
void wait_for_products(float (&)[count]) {
  host::wait_for_products(going_on);
  host::exchange(0, 0);  // a warp goes on as one
}
template <int count>
void take_registers() {}
template <int count>
void give_registers() {}

/// The depths of one line, as numbers.
template <Factor factor>
void read_line(double (&numbers)[MmaShape<factor>::depth], uint64_t descriptor, int line) {
  constexpr int words = kProductBytes / 4, n = MmaShape<factor>::per_register;
  for (int word = 0; word < words; ++word) {
    const uint32_t bits = host::described_word(descriptor, line, word * 4);
    for (int half = 0; half < n; ++half) numbers[word * n + half] = mma_number<factor>(bits, half);
  }
}

/// A thread's own sums, which need nothing of other threads.
template <Factor factor, int count>
void add_product(float (&sums)[count], int thread, uint64_t left, uint64_t right, bool keep) {
  constexpr int depth = MmaShape<factor>::depth;
  double rows[2][depth], columns[2][depth];
  for (int i = 0; i < 2; ++i) read_line<factor>(rows[i], left, group_row(thread, 2 * i));
  for (int i = 0; i < count; ++i) {
    if (i % 4 < 2) read_line<factor>(columns[i % 2], right, group_column(thread, i));
    const float before = keep ? sums[i] : 0.0f;
    sums[i] = host::sum_products<depth>(before, rows[i / 2 % 2], columns[i % 2]);
  }
}

template <Factor factor, int count>
void begin_product(float (&sums)[count], uint64_t left, uint64_t right, bool keep) {
  const int thread = threadIdx.x % kWarpGroup;
  host::require_of_warp(left, right, keep);
  float* const place = sums;
  host::begin_product([=] {
    add_product<factor>(*reinterpret_cast<float(*)[count]>(place), thread, left, right, keep);
  });
}

#endif

}  // namespace symk::cuda
