// Convolutions in which each channel is a group of its own. For *_step.cpp files.
#pragma once

#include "cpu/conv_geometry.h"

namespace symk::cpu {

/// Whether `bind_depthwise` should take it: one channel goes into each group.
inline bool is_depthwise(const ConvShape& shape) { return shape.in == 1 && shape.groups > 1; }

/// Binds the convolution, or (backward) its gradient by the input.
std::unique_ptr<Step> bind_depthwise(Binding& binding, const ConvShape& shape, bool backward);

std::unique_ptr<Step> bind_depthwise_grad_kernel(Binding& binding, const ConvShape& shape);

}  // namespace symk::cpu
