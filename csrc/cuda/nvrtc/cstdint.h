// What csrc/math takes from <cstdint> and from GCC, for NVRTC, which has neither.
#pragma once

using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;

#define INT32_MIN (-2147483647 - 1)

#define __builtin_inff() __builtin_bit_cast(float, 0x7f800000)
#define __builtin_nanf(text) __builtin_bit_cast(float, 0x7fc00000)
#define __builtin_inf() __builtin_bit_cast(double, 0x7ff0000000000000)
#define __builtin_nan(text) __builtin_bit_cast(double, 0x7ff8000000000000)
#define __builtin_acos ::acos
#define __builtin_asin ::asin
#define __builtin_atan ::atan
#define __builtin_atan2 ::atan2
#define __builtin_copysign ::copysign
#define __builtin_copysignf ::copysignf
#define __builtin_cos ::cos
#define __builtin_erf ::erf
#define __builtin_erfc ::erfc
#define __builtin_exp ::exp
#define __builtin_fabs ::fabs
#define __builtin_fabsf ::fabsf
#define __builtin_fma ::fma
#define __builtin_fmaf ::fmaf
#define __builtin_fmod ::fmod
#define __builtin_fmodf ::fmodf
#define __builtin_log1p ::log1p
#define __builtin_memcpy ::memcpy
#define __builtin_pow ::pow
#define __builtin_sin ::sin
#define __builtin_sqrt ::sqrt
#define __builtin_sqrtf ::sqrtf
#define __builtin_tan ::tan
