// Winograd's convolution, where the attribute `products` allows it. For *_step.cpp files.
#pragma once

#include "cpu/conv_geometry.h"

namespace symk::cpu {

/// Whether the attribute `products` is "winograd". Throws Error if it is and the result is not
/// float32.
bool allows_winograd(const Binding& binding, const char* kernel);

/// Whether `bind_winograd` should take a convolution or (backward) its gradient by the input, if it
/// may: a 3 x 3 window over images without strides, dilation and groups, channels that fill vectors
/// and tiles enough to make up for the larger weights.
bool suits_winograd(const ConvShape& shape, bool backward);

std::unique_ptr<Step> bind_winograd(Binding& binding, const ConvShape& shape, bool backward);

}  // namespace symk::cpu
