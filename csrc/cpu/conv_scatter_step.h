// Convolutions with few channels in their result. For *_step.cpp files.
#pragma once

#include "cpu/conv_geometry.h"

namespace symk::cpu {

/// Whether `bind_scatter` should take a convolution or (backward) its gradient by the input: one
/// group, so few channels of the result that tiles would be mostly empty, and as a scatter no
/// product for nothing, so no strides forward.
bool has_few_results(const ConvShape& shape, bool backward);

std::unique_ptr<Step> bind_scatter(Binding& binding, const ConvShape& shape, bool backward);

}  // namespace symk::cpu
